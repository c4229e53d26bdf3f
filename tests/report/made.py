"""Runs for tests of the report: real ones of the demo cell, and made-up ones of any size with any text in them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drycell.sim.cell.result import OracleResult, RunResult, overall
from drycell.sim.cell.run import run as run_cell
from drycell.sim.cell.tally import Tally
from drycell.sim.kernel.journal import Journal, read
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, from_data, load

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "scenarios" / "demo.yaml"
KILL = {"when": {"part": 20}, "do": {"kill": {"site": 1, "signal": "SIGKILL"}}}
UNLOAD = {"when": {"part": 20}, "do": {"operator": "unload"}}
Json = dict[str, Any]


def flown(folder: Path, **overrides: Any) -> Run:
    """A lot of the demo through the modelled cell; ``overrides``: keys of the scenario, ``__`` for the dot."""
    changes = {key.replace("__", "."): value for key, value in {"rung": "model", **overrides}.items()}
    scenario = load(DEMO, changes)
    run = RunStore().new(scenario, DEMO, out=folder)
    run.finish(run_cell(scenario, run.path))
    return run


def first(run: Run, kind: str) -> int:
    """The number of the first event of ``kind``."""
    return next(event.seq for event in read(run.journal) if event.kind == kind)


class MadeUp:
    """Writes the journal of a lot event by event, as the demo cell does, without flying it."""

    def __init__(self, folder: Path, *, devices: int, sites: int = 2, name: str = "made up", text: str = "") -> None:
        self.text = text
        self.scenario = _scenario(name, devices, sites)
        self.run = RunStore().new(self.scenario, None, out=folder)
        self.now_ns = 0
        self.tally = Tally()
        self.journal = Journal(lambda: self.now_ns, self.run.journal)
        self.journal.watch(self.tally.take)
        self.sites = [str(site) for site in self.scenario.cell.sites]

    def event(self, kind: str, actor: str, **fields: Any) -> int:
        """One event."""
        return self.journal.record(kind, actor, **fields)

    def message(self, actor: str, topic: str, content: Json, **more: Any) -> int:
        """One message."""
        return self.event("message", actor, topic=f"ate/demo/{topic}", qos=2, retain=False, **more,
                          payload=json.dumps(content))  # fmt: skip

    def state(self, actor: str, before: str, after: str, **more: Any) -> int:
        """A change of state."""
        return self.event("state", actor, **{"from": before, "to": after, "event": "x", **more})

    def begin(self) -> None:
        """Until the programs are idle."""
        for site in self.sites:
            self.event("launch", f"program{site}", script=f"ldo{self.text}.py")
            self.state(f"sequencer{site}", "starting", "idle")
            log = {"type": "log", "payload": f"TestApp{site} |0.1|INFO |ready {self.text}"}
            self.message(f"testapp.demo.{site}", f"TestApp/log/site{site}", log)
        self.state("master", "loading", "ready")
        self.state("handler", "loading", "ready")

    def touchdown(self, number: int) -> None:
        """One touchdown with every site, from contact to bins: about 20 events per site."""
        first = (number - 1) * len(self.sites) + 1
        parts = {site: first + index for index, site in enumerate(self.sites)}
        entries = [{"site": s, "device": d, "part": f"{d}{self.text}"} for s, d in parts.items()]
        self.now_ns += 100_000_000
        self.event("contact", "handler", lot="L", touchdown=number, sites=entries)
        self.state("handler", "ready", "testing")
        self.message("handler", "Master/cmd", {"type": "next", "payload": {"sites": [{"partid": first}]}})
        self.state("master", "ready", "awaiting_testing")
        self.message("master", "TestApp/cmd", {"type": "cmd", "command": "next", "sites": self.sites})
        for site in self.sites:
            self.state(f"sequencer{site}", "idle", "testing")
            self.message(f"testapp.demo.{site}", f"TestApp/status/site{site}", {"type": "status", "state": "testing"})
        self.state("master", "awaiting_testing", "awaiting_results")
        for site, device in parts.items():
            self._measure(site, device)
        self.message("master", "Master/response", {"type": "next", "payload": {"sites": []}})
        self.state("master", "awaiting_results", "ready")
        for site, device in parts.items():
            part = f"{device}{self.text}"
            self.event("sorted", "handler", lot="L", site=site, device=device, part=part,
                       hard_bin=1 if device % 9 else 2, attempt=1)  # fmt: skip
        self.state("handler", "testing", "ready")

    def _measure(self, site: str, device: int) -> None:
        values = []
        for test in range(7):
            self.now_ns += 20_000_000 + device % 7 * 1000
            value = round(3.3 + ((device * 7919 + test * 104_729) % 1000 - 500) / 10_000, 4)
            values.append(value)
            self.event("ask", "meter", line=f"MEAS:VOUT? (@{site}),{test}.000", answer=str(value))
        self.state(f"sequencer{site}", "testing", "idle")
        self.message(f"testapp.demo.{site}", f"TestApp/status/site{site}", {"type": "status", "state": "idle"})
        soft = 1 if device % 9 else 11
        result = [
            _ptr(test, value, failed=soft == 11 and test == 0, text=self.text) for test, value in enumerate(values)
        ]
        prr = {"type": "PRR", "SOFT_BIN": soft, "HARD_BIN": 1 if soft == 1 else 2, "PART_ID": f"{device}{self.text}"}
        content = {"type": "testresult", "payload": [*result, prr]}
        self.message(f"testapp.demo.{site}", f"TestApp/testresult/site{site}", content)

    def end(self, *oracles: OracleResult) -> Run:
        """Close the journal and write the verdict."""
        self.event("end", "cell", reason=f"the lot is done {self.text}")
        self.journal.close()
        answers = oracles or (OracleResult("lot completes", "holds", (), "all devices were sorted", True),)
        tally = self.tally
        self.run.finish(
            RunResult(
                verdict=overall(answers),
                oracles=answers,
                journal_sha256=self.journal.sha256,
                virtual_s=self.now_ns / 1e9,
                wall_s=1.0,
                parts=tally.parts,
                soft_bins=tally.soft_bins,
                hard_bins=tally.hard_bins,
                yield_=tally.yield_,
                stdf_path=None,
                run_dir=self.run.path,
                deterministic=True,
                rung="model",
                pace="virtual",
                seed=0,
                versions={"drycell": "x"},
                soft_bin_names={1: f"Good{self.text}"},
            )
        )
        return self.run


def made_up(folder: Path, *, events: int, prepare: Callable[[MadeUp], None] | None = None, **more: Any) -> Run:
    """A holding run of at least ``events`` events. ``prepare`` may add some before the first touchdown."""
    made = MadeUp(folder, devices=max(2, events // 10), **more)
    made.begin()
    if prepare is not None:
        prepare(made)
    number = 0
    while made.journal.count < events - 1:
        number += 1
        made.touchdown(number)
    return made.end()


def _scenario(name: str, devices: int, sites: int) -> Scenario:
    data = {"drycell": 1, "name": name, "rung": "model", "cell": {"sites": sites}, "devices": {"lot": devices},
            "program": {"definitions": "demo"}}  # fmt: skip
    return from_data(data)


def _ptr(test: int, value: float, *, failed: bool, text: str) -> Json:
    """A PTR as Semi-ATE sends it, with the fields that a report reads and the bulk of those that it does not."""
    return {
        "type": "PTR",
        "REC_LEN": None,
        "REC_TYP": 15,
        "REC_SUB": 10,
        "TEST_NUM": 100 + test,
        "HEAD_NUM": 0,
        "SITE_NUM": 0,
        "TEST_FLG": 128 if failed else 0,
        "PARM_FLG": 0,
        "RESULT": value,
        "ALARM_ID": "",
        "TEST_TXT": f"vout_{test}.vmeas{text}",
        "OPT_FLAG": 2,
        "RES_SCAL": 0,
        "LLM_SCAL": 0,
        "HLM_SCAL": 0,
        "LO_LIMIT": 3.234,
        "HI_LIMIT": 3.366,
        "UNITS": "V",
        "C_RESFMT": "%7.4f",
        "C_LLMFMT": "%7.4f",
        "C_HLMFMT": "%7.4f",
        "LO_SPEC": 0.0,
        "HI_SPEC": 6.0,
        "rec_id": "PTR",
    }
