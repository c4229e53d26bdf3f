"""A run as a trace for Perfetto and chrome://tracing: states as slices, messages as flows, the rest as instants.

Source of the format: Trace Event Format (Google), JSON array form; times in microseconds.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drycell.sim.report.collected import Collected
from drycell.sim.report.timeline import BAD, FAULT, STATE, Row

_PROCESS = 1


def write_perfetto(collected: Collected, path: Path) -> None:
    """Write ``path``, one trace event per line."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit":"ms","traceEvents":[\n')
        for number, event in enumerate(_events(collected)):
            file.write((",\n" if number else "") + json.dumps(event, ensure_ascii=False))
        file.write("\n]}\n")


def _events(collected: Collected) -> Iterator[dict[str, Any]]:
    names = collected.timeline.lanes()
    threads = {lane: index + 1 for index, lane in enumerate(names)}
    yield {"ph": "M", "pid": _PROCESS, "name": "process_name", "args": {"name": collected.name}}
    for lane, thread in threads.items():
        yield {"ph": "M", "pid": _PROCESS, "tid": thread, "name": "thread_name", "args": {"name": lane}}
        order = {"sort_index": thread}
        yield {"ph": "M", "pid": _PROCESS, "tid": thread, "name": "thread_sort_index", "args": order}
    open_states: dict[str, tuple[str, int]] = {}
    end_ns = 0
    for row in collected.timeline.rows():
        end_ns = row.t_ns
        if row.marks & STATE:
            yield from _close(open_states.pop(row.lane, None), row.t_ns, threads[row.lane])
            open_states[row.lane] = (row.state, row.t_ns)
        yield from _told(row, threads)
    for lane, state in open_states.items():
        yield from _close(state, end_ns, threads[lane])


def _close(state: tuple[str, int] | None, now_ns: int, thread: int) -> Iterator[dict[str, Any]]:
    if state is not None and state[0] != "ended":
        name, since_ns = state
        at = {"ts": since_ns / 1000, "dur": (now_ns - since_ns) / 1000}
        yield {"ph": "X", "pid": _PROCESS, "tid": thread, "name": name, "cat": "state", **at}


def _told(row: Row, threads: dict[str, int]) -> Iterator[dict[str, Any]]:
    base: dict[str, Any] = {"pid": _PROCESS, "tid": threads[row.lane], "ts": row.t_ns / 1000}
    if row.kind != "state":
        scope = "g" if row.marks & FAULT else "p" if row.marks & BAD else "t"
        yield {"ph": "i", "s": scope, "name": row.text, "cat": row.kind, "args": {"event": row.seq}, **base}
    for number, lane in enumerate(row.to):
        flow = {"cat": "message", "name": "message", "id": f"{row.seq}.{number}"}
        yield {"ph": "s", **flow, **base}
        yield {"ph": "f", "bp": "e", **flow, **base, "tid": threads[lane]}
