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
from drycell.sim.faults import PALETTE
from drycell.sim.report.collected import Collected
from drycell.sim.report.lanes import MASTER, SCENARIO, called, program_lane
from drycell.sim.report.notable import Notable
from drycell.sim.report.phrases import Line, clock, counted, listed, sentence
from drycell.sim.report.timeline import BAD_STATES
from drycell.sim.report.words import ending

_PLACE = re.compile(r" at \d+\.\d+ s \(event (\d+)\)$")
_SIGNALS = {"SIGKILL": "killed {}", "SIGSTOP": "froze {}", "SIGTERM": "asked {} to end"}
_PERIPHERAL = re.compile(r"peripheral (\S+) did not answer")
_ERRED = re.compile(r": (the [a-z]+) erred")
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
    """The first soft error after ``seq`` and before the next fault, if any."""
    for event in collected.notable.events:
        if event.seq > seq:
            if _is_trouble(event):
                return event
            if event.kind == "fault":
                return None
    return None


def deed(fault: Notable) -> str:
    """What a fault did: ``killed the test program of site 1 (SIGKILL)``."""
    fields = fault.fields
    site = fields.get("site")
    whom = called(program_lane(str(site))) if site is not None else "the cell"
    if fields.get("fault") in ("kill", "signal"):
        name = str(fields.get("signal", "SIGKILL"))
        return f"{_SIGNALS.get(name, 'sent a signal to {}').format(whom)} ({name})"
    where = f" on site {site}" if site is not None else ""
    return f"injected the fault “{fields.get('fault')}”{where}"


def meaning(fault: Notable) -> str:
    """What a fault of the palette does, in the palette's own sentence; "" for others."""
    known = PALETTE.get(str(fault.fields.get("fault")))
    text = " ".join((known.__doc__ or "").split("\n\n")[0].split()) if known is not None else ""
    return f" (It means: {text[0].lower()}{text[1:].rstrip('.')}.)" if text else ""


def proof(collected: Collected, oracle: OracleResult) -> int:
    """The event to explain: the moment that the oracle's sentence names, else its last piece of evidence; 0 for none.

    A lot that came back from the soft error in the evidence did not fail of it, but of the last one; and one that
    stood in soft error until the run's limit did not fail of the limit.
    """
    named = _PLACE.search(oracle.text)
    seq = int(named[1]) if named and int(named[1]) in oracle.evidence else max(oracle.evidence, default=0)
    stopped = any(event.seq == seq and _is_limit(event) for event in collected.notable.of_kind("problem"))
    if oracle.name == "lot completes" and (not seq or stopped or collected.notable.ready_after(seq)):
        troubles = (event.seq for event in collected.notable.events if _is_trouble(event))
        return next((trouble for trouble in troubles if not collected.notable.ready_after(trouble)), seq)
    return seq


def _is_trouble(event: Notable) -> bool:
    return event.lane == MASTER and event.kind == "state" and event.state in BAD_STATES


def find(collected: Collected, oracle: OracleResult) -> Cause:
    """The cause of a violation."""
    seq = proof(collected, oracle)
    events = before(collected, seq) if seq else []
    lasting = _lasting(collected, events[0].seq if events else seq, seq)
    blamed = None
    if lasting is not None:
        blamed = Cause(Line(_tell_lasting(collected, lasting), (lasting.seq,)), lasting)
        if PALETTE[lasting.fields["fault"]].layer != "instrument" and not any(map(_is_fault, events)):
            return blamed
    for fits, tell in _CAUSES:
        for event in events:
            if fits(event):
                return Cause(Line(tell(collected, event), (event.seq,)), event)
    return blamed or Cause(Line(_by_oracle(collected, oracle), oracle.evidence))


def _lasting(collected: Collected, first: int, last: int) -> Notable | None:
    """The last fault before event ``first`` that was still at work at event ``last``."""
    now_ns = collected.timeline.time_of(last) or 0
    faults = [fault for fault in collected.notable.events if fault.kind == "fault" and fault.seq < first]
    lasting = [fault for fault in faults if _lasts(fault, now_ns)]
    return lasting[-1] if lasting else None


def _lasts(fault: Notable, now_ns: int) -> bool:
    """Whether a fault was at work at ``now_ns``.

    One that can last says how long (``for``; not at all: for good), unless it strikes a counted number of times.
    """
    known = PALETTE.get(str(fault.fields.get("fault")))
    if known is None or "for_s" not in known.model_fields or "count" in fault.fields:
        return False
    length_s = fault.fields.get("for")
    return not isinstance(length_s, int | float) or bool(fault.t_ns + length_s * 1e9 > now_ns)


def _tell_lasting(collected: Collected, fault: Notable) -> str:
    text = f"Nobody in the cell: the scenario itself {deed(fault)} at {clock(fault.t_ns)}, and it was still at work."
    return text + meaning(fault) + _aftermath(collected, fault)


# what can be a cause, the most telling first ----------------------------------------------------------------------


def _is_fault(event: Notable) -> bool:
    return event.kind == "fault"


def _is_effect(event: Notable) -> bool:
    return event.kind == "effect" and not event.fields.get("missed")


def _is_exit(event: Notable) -> bool:
    return event.kind == "exit" and event.fields.get("exit_code") != 0 and not event.fields.get("wanted")


def _is_error(event: Notable) -> bool:
    return event.lane.startswith("site ") and event.state in ("error", "crash")


def _is_timeout(event: Notable) -> bool:
    return event.kind == "timeout"


def _is_operator(event: Notable) -> bool:
    return event.kind == "operator"


def _is_limit(event: Notable) -> bool:
    return event.kind == "problem" and "the run was stopped at the limit" in event.text


def _is_problem(event: Notable) -> bool:
    return event.kind == "problem"


def _tell_fault(collected: Collected, event: Notable) -> str:
    return f"Nobody in the cell: the scenario itself {deed(event)} at {clock(event.t_ns)}.{meaning(event)}" + (
        _aftermath(collected, event)
    )


def _tell_effect(collected: Collected, event: Notable) -> str:
    name = event.fields.get("fault")
    text = f"Nobody in the cell: the scenario's own fault “{name}” struck at {clock(event.t_ns)}.{meaning(event)}"
    return text + _aftermath(collected, event)


def _aftermath(collected: Collected, event: Notable) -> str:
    """What master and operator did after a fault, when the cell did not come back."""
    text = ""
    resets = collected.scenario.cell.operator.resets if collected.scenario is not None else 0
    trouble = trouble_after(collected, event.seq)
    if trouble is not None and not collected.notable.ready_after(trouble.seq):
        operated = [step for step in collected.notable.of_kind("operator") if step.seq > trouble.seq]
        text += " The master went into softerror, as it must"
        if not operated and not resets:
            text += ", and nobody pressed reset (cell.operator.resets is 0), so the lot stayed where it was."
        elif operated:
            text += f", and did not come back although reset was pressed ({counted(len(operated), 'time')})."
        else:
            text += f", and nobody pressed reset any more (cell.operator.resets is {resets})."
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
    if event.fields.get("state") == "peripheral":
        return _tell_peripheral(collected, event)
    states: dict[str, Any] = event.fields.get("states", {})
    waited = f"the {event.lane} waited {event.fields.get('after_s', 0):g} s"
    if not silent:
        return sentence(f"{waited}: {event.fields.get('message') or event.text}")
    who = listed([called(program_lane(site)) for site in silent])
    said = listed([f"site {site} was last {states.get(program_lane(site), 'nothing')}" for site in silent])
    told = sentence(f"{who}: {waited} for an answer that did not come ({said})")
    return told + _usual(collected, str(event.fields.get("name")))


def _usual(collected: Collected, name: str) -> str:
    """Says so when the scenario itself changed a timeout."""
    if collected.scenario is None or name not in collected.scenario.cell.timeouts:
        return ""
    usual_s = collected.scenario.cell.protocol.timeouts_s.get(name)
    if usual_s is None:
        return ""
    return f" The scenario itself sets this limit (cell.timeouts.{name}); usually it is {usual_s:g} s."


def _tell_peripheral(collected: Collected, event: Notable) -> str:
    following = collected.notable.between(event.seq, event.seq + 5)
    named = next((match[1] for match in (_PERIPHERAL.search(e.text) for e in following) if match), "")
    text = f"The peripheral {named} behind the test cell controller: the master waited"
    text += f" {event.fields.get('after_s', 0):g} s for its answer."
    known = {} if collected.scenario is None else collected.scenario.cell.peripherals
    if collected.scenario is not None and named and named not in known:
        text += " The cell has no peripheral of this name (cell.peripherals)."
    elif named in known:
        text += f" It takes {known[named].latency_s:g} s to answer (cell.peripherals.{named}.latency_s)."
    return text + _usual(collected, str(event.fields.get("name")))


def _tell_operator(_collected: Collected, event: Notable) -> str:
    command = event.fields.get("command", event.text)
    return f"The operator: “{command}” was pressed at {clock(event.t_ns)}, while the lot was running."


def _tell_limit(collected: Collected, event: Notable) -> str:
    last = collected.notable.sorted_before(event.seq)
    text = (
        f"Nobody in the cell: the scenario's own limit (limits) ended the run at {clock(event.t_ns)}, while nothing"
    )
    return f"{text} was wrong; {last} devices had been sorted by then."


def _tell_problem(_collected: Collected, event: Notable) -> str:
    return sentence(f"{called(event.lane)} reported: {event.fields.get('text', event.text)}")


_CAUSES: tuple[tuple[Callable[[Notable], bool], Callable[[Collected, Notable], str]], ...] = (
    (_is_fault, _tell_fault),
    (_is_effect, _tell_effect),
    (_is_exit, _tell_exit),
    (_is_error, _tell_error),
    (_is_timeout, _tell_timeout),
    (_is_limit, _tell_limit),
    (_is_operator, _tell_operator),
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
    named = _ERRED.search(oracle.text)
    lane = collected.timeline.lane_of(oracle.evidence[-1]) if oracle.evidence else ""
    who = named[1] if named else called(lane) if lane and lane != SCENARIO else ""
    if who:
        return sentence(f"{who}, as far as the journal tells: nothing else had gone wrong before")
    return "The journal does not say: nothing else had gone wrong before. Look at the events around the evidence."
