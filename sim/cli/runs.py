"""``drycell runs`` and ``drycell show``: what the store holds."""

import argparse
import json
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from drycell.sim.cli.output import console, print_json, print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.tables import print_run
from drycell.sim.errors import DrycellError
from drycell.sim.runs import Run, RunStore

_OF_EVENTS = ("events", "columns", "kind", "actor", "site", "from_", "to", "grep")


def runs(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell runs``."""
    store = RunStore()
    lines = [summary(run) for run in store.all()]
    if arguments.json:
        print_json(lines)
        return 0
    if not lines:
        talk(f"no runs in {store.root}; make one with drycell run")
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Run", "Outcome", "Devices", "Yield"):
        table.add_column(title, justify="right" if title in ("Devices", "Yield") else "left", overflow="fold")
    for line in lines:
        share = line.get("yield")
        cells = ("-", "-") if share is None else (str(line["parts"]), f"{share:.1%}")
        table.add_row(escape(line["run"]), line.get("verdict") or line["state"], *cells)
    console().print(table)
    return 0


def summary(run: Run) -> dict[str, Any]:
    """One line about a run; a damaged one is listed as such."""
    line: dict[str, Any] = {"run": run.name, "run_dir": str(run.path)}
    try:
        line["state"] = run.state()
        result = run.result()
    except DrycellError as error:
        return {**line, "state": "damaged", "problem": str(error)}
    if result is None:
        return line
    data = result.to_json()
    return {**line, **{key: data[key] for key in ("verdict", "parts", "yield", "rung", "pace", "seed", "virtual_s")}}


def show(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell show``."""
    run = RunStore().find(arguments.run)
    if arguments.event is not None:
        return _show_event(run, arguments.event, as_json=arguments.json)
    if any(getattr(arguments, option) for option in _OF_EVENTS):
        from drycell.sim.cli.events import show_events  # only now: it loads the whole room of reports

        return show_events(run, arguments)
    result = run.result()
    if arguments.json:
        failure = run.failure() or {}
        print_json({**summary(run), "problem": failure.get("text")} if result is None else result.to_json())
        return 0
    print_run(run.scenario().name, run, result, run.counts())
    return 0


def _show_event(run: Run, number: str, *, as_json: bool) -> int:
    if not number.isdecimal():
        raise UsageError(f"--event {number!r} is no event number; write one such as --event 17")
    event = run.event(int(number[:18]))
    if as_json:
        print_json({"seq": event.seq, "t_ns": event.t_ns, "actor": event.actor, "kind": event.kind, **event.fields})
        return 0
    print_text(f"event {event.seq} at {event.t_ns / 1e9:.9f} s: {event.actor}, {event.kind}")
    for key, value in event.fields.items():
        print_text(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}")
    return 0
