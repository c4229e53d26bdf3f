"""How quiet the oracles are where faults are ordered, not drawn: every fault of messages on every kind of message, every
other fault at every kind of moment, alone and beside a second one.

``python -m tests.quality.sweep [--runs N] [--seed N] [--jobs N] [--show PLACE]``

Rules
- A scenario is a *place* in the tables below, its own seed included; ``--runs`` places are flown, chosen by the seed.
- The peers are without a defect, so every finding is a false alarm. Ends with 1 when there is one.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from math import prod
from typing import Any, get_args

from rich.console import Console

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.explore.flight import fly
from drycell.sim.faults.select import MessageName
from drycell.sim.hooks import registry
from drycell.sim.scenario import Scenario, from_data
from drycell.sim.scenario.files import pretty
from tests.quality.hunting import ROOT, Alarm
from tests.quality.search import all_done

Json = dict[str, Any]
RUNS = 20_000
_BATCH = 100
_DEVICES = 6

# faults of messages ------------------------------------------------------------------------------------------------

_LATE_S = (0.05, 0.2, 0.5, 3.0, 12.0, 40.0)
STRIKES: Sequence[tuple[str, Json]] = (
    *(("delay", {"by": late_s}) for late_s in _LATE_S),
    *((name, {"after": late_s}) for name in ("duplicate", "replayed") for late_s in _LATE_S),
    *(("reorder", {"behind": behind}) for behind in ("status", "next", "testresult", "control-status")),
    *(("truncated", {"keep": keep}) for keep in (0.0, 0.5, 0.97)),
    *(("malformed", {"how": how}) for how in ("bracket", "quote", "text", "empty", "list")),
    *(("wrong_site", {"as": site, "where": where}) for site in (0, 1) for where in ("topic", "records", "both")),
    *(("not_finite", {"value": value}) for value in ("NaN", "Infinity")),
    *(("wrong_encoding", {"encoding": encoding}) for encoding in ("utf-16", "latin-1", "zip")),
    *[("wrong_type", {})] * 6,
    *((name, {}) for name in ("lose", "stale", "duplicate", "oversized")),
)
ARMED: Sequence[Json] = (
    *({"at": 0.0, "nth": nth} for nth in (1, 2, 4, 9)),
    *({"when": {"part": 3}, "nth": nth} for nth in (1, 2)),
    *({"when": {"master": state}, "nth": 1} for state in ("softerror", "unloading")),
)
"""When a fault of messages begins to count, and which one it hits."""
_OPTIONS = (
    {"when": {"touchdown": 1}, "do": {"options": {"stop_on_fail": True}}},
    {"when": {"touchdown": 2}, "do": {"options": {"single_step": True, "trigger_on_test": {"value": 3}}}},
    {"when": {"touchdown": 3}, "do": {"options": {"stop_on_fail": False}}},
)
_CHANGES = (
    {"when": {"touchdown": 1}, "do": {"operator": {"bin": {"soft": 20, "hard": 7}}}},
    {"when": {"touchdown": 2}, "do": {"operator": {"parameter": {"name": "vout_1.settle_s", "value": 0.01}}}},
    {"when": {"touchdown": 2}, "do": {"operator": {"loglevel": 10}}},
    {"when": {"touchdown": 3}, "do": {"operator": {"bin": {"soft": 20, "hard": 6}}}},
)
LOTS: Sequence[tuple[Json, Sequence[Json]]] = (
    ({}, ()),
    ({}, _OPTIONS),
    ({"operator": {"resets": 3, "reset_after_s": 0.5}}, ()),
    ({"operator": {"resets": 1}, "handler": {"retest_bins": [6]}}, _CHANGES),
)
"""What the cell is like, and what its operator changes."""

# all other faults ----------------------------------------------------------------------------------------------------

_PACKETS = ("CONNECT", "CONNACK", "PUBLISH", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "DISCONNECT")
_OF_A_SITE: Sequence[tuple[str, Json]] = (
    *((name, {}) for name in ("kill", "signal", "segfault", "out_of_memory", "teardown_failure", "never_attaches")),
    *((name, {}) for name in ("orphan", "stderr_flood", "cut", "half_open", "double_feed")),
    *(("exit", {"code": code}) for code in (0, 3)),
    *(("freeze", {"for": for_s}) for for_s in (1.0, 20.0, None)),
    *(("slow_start", {"by": by_s}) for by_s in (0.3, 20.0, 200.0)),
    *(("take_over", {"times": times}) for times in (1, 3)),
    *(("slow_link", {"latency": late_s, "for": for_s}) for late_s, for_s in ((0.01, None), (0.4, 1.0), (20.0, 50.0))),
    ("slow_link", {"bytes_per_s": 300.0, "for": 5.0}),
    ("double_feed", {"touchdowns": 3, "shift": -1}),
    ("contact_failure", {"touchdowns": 2}),
    *(
        (name, {"count": count})
        for name in ("missing_records", "truncated_records", "wrong_length")
        for count in (1, None)
    ),
    *((name, {"count": count}) for name in ("wrong_part", "result_before_idle") for count in (1, None)),
    *(("missing_records", {"record": record}) for record in ("PIR", "PTR", "FTR", "MPR")),
    *(("wrong_order", {"how": how}) for how in ("reversed", "shuffled", "prr-first")),
    *(("late_result", {"by": late_s}) for late_s in _LATE_S),
    *(("late_result", {"at_deadline": side}) for side in ("before", "after")),
    *(("duplicated_result", {"after": late_s}) for late_s in (0.0, *_LATE_S)),
    *(
        ("packet", {"packet": packet, "towards": towards, "what": what})
        for packet in _PACKETS
        for towards in ("broker", "program")
        for what in ("lost", "late", "twice", "damaged")
    ),
    *(
        (name, {"count": count})
        for name in ("no_answer", "late_answer", "wrong_answer", "drift", "noise", "stuck")
        for count in (1, 5)
    ),
)
FAULTS: Sequence[tuple[str, Any]] = (
    *((name, {"site": site, **fields}) for site in (0, 1) for name, fields in _OF_A_SITE),
    *(("broker_outage", {"for": for_s}) for for_s in (0.5, 5.0, 40.0)),
    *(
        (name, {"peripheral": "Temperature", "count": count})
        for name in ("peripheral_silent", "peripheral_late", "peripheral_wrong")
        for count in (1, None)
    ),
    ("peripheral_late", {"peripheral": "Temperature", "by": 12.0}),
    ("peripheral_elsewhere", {"peripheral": "Temperature", "on": "Magfield"}),
    *(("disk_full", fields) for fields in ({}, {"left_bytes": 300, "for": 2.0})),
    *((name, {"for": for_s}) for name in ("read_only_folder", "tcc_gone") for for_s in (3.0, None)),
    *(("handler_jam", {"for": for_s}) for for_s in (1.0, 30.0)),
    *((name, {}) for name in ("leftover_file", "wrong_lot", "operator_resets")),
    *(("master_restart", {"down": down_s}) for down_s in (0.0, 2.0, 20.0, 100.0)),
    ("operator_resets", {"random": True, "every": 1.0}),
    ("device_changes", {"part": 3, "factors": {"vout": 1.2}}),
    *(("operator", command) for command in ("load", "next", "unload", "reset")),
)
MOMENTS: Sequence[Json] = (
    *({"at": at_s} for at_s in (0.0, 0.3, 0.55, 0.86, 0.95, 1.3, 2.0)),
    *({"when": {"touchdown": 2}, "with_delay": late_s} for late_s in (0.0, 0.01, 0.1, 0.25, 5.0)),
    *({"when": {"part": part}} for part in (1, 4)),
    *({"when": {"master": state}} for state in ("loading", "ready", "softerror", "unloading")),
    *({"when": {"handler": "testing"}}, {"when": {"control": "busy"}}),
    *({"when": {"says": state, "nth": 3}} for state in ("idle", "testing")),
    *({"when": {"command": command, "nth": nth}} for command, nth in (("next", 2), ("terminate", 1))),
)
COMPANIONS: Sequence[Sequence[Json]] = (
    (),
    *(
        ({"when": {"touchdown": 2}, "with_delay": 0.02, "do": {name: fields}},)
        for name, fields in (
            ("kill", {"site": 0}),
            ("half_open", {"site": 0}),
            ("freeze", {"site": 1, "for": 8.0}),
            ("broker_outage", {"for": 5.0}),
            ("master_restart", {"down": 20.0}),
            ("duplicate", {"message": "handler-command", "after": 0.2}),
            ("lose", {"message": "status"}),
            ("wrong_type", {"message": "next"}),
            ("no_answer", {"site": 0, "count": 5}),
        )
    ),
    *(
        ({"at": 0.0, "do": {name: {"site": 0, **fields}}},)
        for name, fields in (("orphan", {}), ("slow_start", {"by": 5.0}))
    ),
    ({"when": {"touchdown": 1}, "do": {"cut": {"site": 1}}},),
    ({"when": {"touchdown": 1}, "do": {"operator_resets": {}}},),
)
CELLS: Sequence[Json] = (
    {},
    *({"operator": {"resets": 3, "reset_after_s": late_s}} for late_s in (0.0, 0.5, 20.0)),
    {"operator": {"resets": 3}, "handler": {"retest_bins": [6, 7], "index_time_s": 0.0}},
)

_MESSAGES = (tuple(DIALECTS), get_args(MessageName), STRIKES, ARMED, LOTS)
_OTHERS = (tuple(DIALECTS), FAULTS, MOMENTS, COMPANIONS, CELLS)
_OF_MESSAGES = prod(map(len, _MESSAGES))
PLACES = _OF_MESSAGES + prod(map(len, _OTHERS))
"""How many scenarios the tables hold."""


def scenario(place: int) -> Scenario | None:
    """The scenario at ``place`` of the tables, None for a fault that makes no difference in its dialect.

    Raises IndexError for a place that there is not.
    """
    if not 0 <= place < PLACES:
        raise IndexError(f"there is no place {place}: the last one is {PLACES - 1}")
    if place < _OF_MESSAGES:
        dialect, message, (fault, fields), armed, (cell, before) = _pick(place, _MESSAGES)
        when, nth = {key: value for key, value in armed.items() if key != "nth"}, armed["nth"]
        step = {**when, "do": {fault: {"message": message, "nth": nth, **fields}}}
    else:
        dialect, (fault, fields), moment, before, cell = _pick(place - _OF_MESSAGES, _OTHERS)
        step = {**moment, "do": {fault: fields}}
    kind = registry().faults.get(fault)
    if kind is not None and dialect not in kind.dialects:
        return None
    data = {
        "drycell": 1,
        "name": f"place {place}",
        "seed": place,
        "rung": "model",
        "cell": {"dialect": dialect, "sites": 2, "peripherals": {"Temperature": {}, "Magfield": {}}, **cell},
        "program": {"definitions": "./demo"},
        "devices": {"size": _DEVICES, "defects": "40%"},
        "instruments": {"meter": {"variable": "DRYCELL_METER"}},
        "timeline": [*before, step],
    }
    return from_data(data, folder=ROOT / "scenarios")


def _pick(place: int, tables: Sequence[Sequence[Any]]) -> Iterator[Any]:
    for table in tables:
        place, index = divmod(place, len(table))
        yield table[index]


def alarms_at(places: Sequence[int]) -> list[Alarm]:
    """The findings in the scenarios at ``places``; there should be none."""
    found = []
    for place in places:
        planned = scenario(place)
        if planned is not None:
            dialect = planned.cell.dialect
            found += [Alarm(place, True, dialect, one.signature, one.text) for one in fly(planned).findings]
    return found


def chosen(runs: int, seed: int) -> list[int]:
    """So many places, by chance."""
    return random.Random(seed).sample(range(PLACES), runs)


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality.sweep", description="How quiet the oracles are.")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many of {PLACES} scenarios (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which of them (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--show", type=int, metavar="PLACE", help="print the scenario at this place, and fly none")
    given = parser.parse_args(words)
    if not 0 <= given.runs <= PLACES or not 0 <= (given.show or 0) < PLACES:
        parser.error(f"there are {PLACES} places, numbered from 0")
    out = Console(soft_wrap=True, highlight=False)
    if given.show is not None:
        planned = scenario(given.show)
        out.print(pretty(planned) if planned else "that fault makes no difference in that dialect", markup=False)
        return 0
    places, count = chosen(given.runs, given.seed), 0
    tasks = [partial(alarms_at, places[first : first + _BATCH]) for first in range(0, len(places), _BATCH)]
    for alarm in chain.from_iterable(all_done(tasks, given.jobs)):
        count += 1
        out.print(f"false alarm at place {alarm.number} ({alarm.dialect}): {alarm.text}", markup=False)
    out.print(f"{count} false alarms in {len(places)} of {PLACES} ordered runs")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
