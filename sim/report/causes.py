"""Whose fault it was: from an oracle's evidence back to what set it off.

Rules
- Looked at is the stretch from the last ``ready`` of the master before the evidence to the evidence itself.
- The first of these that is found there is the cause: an injected fault, a program that ended by itself, a program
  that announced an error, a timeout, a problem. Without any, the oracle's own subject is named.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drycell.sim.cell.result import OracleResult
from drycell.sim.report.collected import Collected
from drycell.sim.report.lanes import MASTER, called, program_lane
from drycell.sim.report.notable import Notable
from drycell.sim.report.phrases import Line, clock, listed, sentence
from drycell.sim.report.timeline import BAD_STATES
from drycell.sim.report.words import ending

_PLACE = re.compile(r" at \d+\.\d+ s \(event \d+\)")
_LEVELS = re.compile(r"^.*?\|\s*(?:ERROR|CRITICAL|WARNING)\s*\|")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why. ``first``: the number of the event it began with, 0 when unknown."""

    line: Line
    event: Notable | None = None

    @property
    def first(self) -> int:
        return 0 if self.event is None else self.event.seq


def without_place(text: str) -> str:
    """An oracle's sentence without its ``at 2.700 s (event 423)``, which the report says elsewhere."""
    return _PLACE.sub("", text)


def before(collected: Collected, seq: int) -> list[Notable]:
    """What was notable since the master was last ready, up to ``seq``."""
    return collected.notable.between(collected.notable.ready_before(seq), seq)


def chain(collected: Collected, first: int, last: int) -> list[Notable]:
    """What was notable from ``first`` to a little beyond ``last``: the whole failure, told in order."""
    events = collected.notable.between(first, last + 40)
    again = collected.notable.ready_after(last)
    return [event for event in events if not again or event.seq <= again]


def trouble_after(collected: Collected, seq: int) -> Notable | None:
    """The soft error that followed ``seq`` before the master was ready again, if any."""
    again = collected.notable.ready_after(seq)
    for event in collected.notable.events:
        if event.seq > seq and event.lane == MASTER and event.state in BAD_STATES:
            return event if not again or event.seq < again or event.seq - seq < 100 else None
    return None


def deed(fault: Notable) -> str:
    """What a fault did: ``killed the test program of site 1 (SIGKILL)``."""
    fields = fault.fields
    site = fields.get("site")
    whom = called(program_lane(str(site))) if site is not None else "the cell"
    if fields.get("fault") == "kill":
        name = str(fields.get("signal", "SIGKILL"))
        verb = {"SIGKILL": "killed", "SIGSTOP": "froze", "SIGTERM": "asked to end"}.get(name, "sent a signal to")
        return f"{verb} {whom} ({name})"
    return f"injected the fault “{fault.text.removeprefix('FAULT ')}”"


def find(collected: Collected, oracle: OracleResult) -> Cause:
    """The cause of a violation."""
    seq = oracle.evidence[-1] if oracle.evidence else 0
    events = before(collected, seq) if seq else []
    for fits, tell in _CAUSES:
        for event in events:
            if fits(event):
                return Cause(Line(tell(collected, event), (event.seq,)), event)
    return Cause(Line(_by_oracle(collected, oracle), oracle.evidence))


# what can be a cause, the most telling first ----------------------------------------------------------------------


def _is_fault(event: Notable) -> bool:
    return event.kind == "fault"


def _is_exit(event: Notable) -> bool:
    return event.kind == "exit" and event.fields.get("exit_code") != 0 and not event.fields.get("wanted")


def _is_error(event: Notable) -> bool:
    return event.lane.startswith("site ") and event.state in ("error", "crash")


def _is_timeout(event: Notable) -> bool:
    return event.kind == "timeout"


def _is_problem(event: Notable) -> bool:
    return event.kind == "problem"


def _tell_fault(collected: Collected, event: Notable) -> str:
    text = f"Nobody in the cell: the scenario itself {deed(event)} at {clock(event.t_ns)}."
    resets = collected.scenario.cell.operator.resets if collected.scenario is not None else 0
    trouble = trouble_after(collected, event.seq)
    if trouble is not None and not collected.notable.ready_after(trouble.seq):
        operated = [step for step in collected.notable.of_kind("operator") if step.seq > trouble.seq]
        text += " The master went into softerror, as it must"
        if not operated and not resets:
            text += ", and nobody pressed reset (cell.operator.resets is 0), so the lot stayed where it was."
        else:
            text += f", and did not come back although reset was pressed ({len(operated)} times)."
    return text


def _tell_exit(collected: Collected, event: Notable) -> str:
    how = ending(int(event.fields["exit_code"]))
    text = f"{called(event.lane)}: it ended by itself with {how} at {clock(event.t_ns)}, and nobody had asked it to."
    return sentence(text) + _last_words(collected, event)


def _tell_error(collected: Collected, event: Notable) -> str:
    verb = "crashed" if event.state == "crash" else "announced an error"
    return sentence(f"{called(event.lane)}: it {verb} at {clock(event.t_ns)}") + _last_words(collected, event)


def _tell_timeout(collected: Collected, event: Notable) -> str:
    silent = [str(site) for site in event.fields.get("silent", ())]
    states: dict[str, Any] = event.fields.get("states", {})
    waited = f"the {event.lane} waited {event.fields.get('after_s', 0):g} s"
    if not silent:
        return sentence(f"{waited}: {event.fields.get('message') or event.text}")
    who = listed([called(program_lane(site)) for site in silent])
    said = listed([f"site {site} last said {states.get(program_lane(site), 'nothing')}" for site in silent])
    return sentence(f"{who}: {waited} for an answer that never came ({said})")


def _tell_problem(_collected: Collected, event: Notable) -> str:
    return sentence(f"{called(event.lane)} reported: {event.fields.get('text', event.text)}")


_CAUSES: tuple[tuple[Callable[[Notable], bool], Callable[[Collected, Notable], str]], ...] = (
    (_is_fault, _tell_fault),
    (_is_exit, _tell_exit),
    (_is_error, _tell_error),
    (_is_timeout, _tell_timeout),
    (_is_problem, _tell_problem),
)


def _last_words(collected: Collected, event: Notable) -> str:
    """What the program logged or wrote last before it ended."""
    lines = [line for line in collected.notable.logs.get(event.lane, ()) if line.seq <= event.seq + 40]
    errors = [line for line in lines if _LEVELS.search(line.text)] or lines
    if errors:
        return f" Its log says: “{_LEVELS.sub('', errors[0].text.removeprefix('log: ')).strip()}”"
    return ""


def _by_oracle(collected: Collected, oracle: OracleResult) -> str:
    if oracle.name == "bins agree":
        return "The cell between program and bin, that is the master or the handler; the program had said its bin."
    lane = collected.timeline.lane_of(oracle.evidence[-1]) if oracle.evidence else ""
    if oracle.name.endswith("follow the table") or oracle.name == "one result per device":
        return sentence(f"{called(lane)}: nothing else had gone wrong before" if lane else "not known")
    return "The journal does not say: nothing else had gone wrong before. Look at the events around the evidence."
