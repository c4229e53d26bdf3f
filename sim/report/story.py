"""What happened, in sentences for a person of the floor: what failed, when, and whose fault it was.

Rules
- Every sentence follows from an oracle's answer and the events around its evidence; each names its events.
- The cause is looked for between the last moment when all was well (the master became ready) and the evidence: an
  injected fault before a program that ended, before one that announced an error, before a timeout.
- Where the journal does not say whose fault it was, the story says so.
"""

from dataclasses import dataclass

from drycell.sim.cell.result import OracleResult
from drycell.sim.report import causes
from drycell.sim.report.collected import Collected
from drycell.sim.report.notable import Notable
from drycell.sim.report.phrases import Line, clock, counted, listed, sentence

MOST_STEPS = 9


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise. ``chain``: how it came about, step by step."""

    oracle: OracleResult
    what: Line
    when: Line
    whose: Line
    chain: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """The whole: one headline, one finding per broken promise, and remarks on what else is worth knowing."""

    headline: str
    findings: tuple[Finding, ...]
    remarks: tuple[Line, ...]


def tell(collected: Collected) -> Story:
    """The story of a run."""
    result = collected.result
    if result is None:
        return Story(_unfinished(collected), (), tuple(_ending(collected)))
    broken = [oracle for oracle in result.oracles if oracle.verdict == "violated"]
    broken.sort(key=lambda oracle: not oracle.required)
    missing = [oracle for oracle in result.oracles if oracle.required and oracle.verdict == "unknown"]
    told = [*broken, *(oracle for oracle in missing if causes.proof(collected, oracle))]
    findings = tuple(_finding(collected, oracle) for oracle in told)
    remarks = [
        Line(sentence(f"“{oracle.name}” could not be judged: {causes.without_place(oracle.text)}"))
        for oracle in missing
        if oracle not in told
    ]
    remarks += _survived(collected)
    if not result.deterministic:
        remarks.append(Line("A second run of this scenario may differ: real programs ran against real time."))
    return Story(_headline(collected, findings, missing), findings, tuple(remarks))


def _headline(collected: Collected, findings: tuple[Finding, ...], missing: list[OracleResult]) -> str:
    assert collected.result is not None
    if findings:
        return findings[0].what.text
    if missing:
        return f"Nothing went wrong, but {counted(len(missing), 'promise')} could not be judged."
    required = [oracle for oracle in collected.result.oracles if oracle.required]
    text = f"All {len(required)} required promises were kept." if required else "No promise was broken."
    if required and all(oracle.name == "lot completes" for oracle in required[:1]):
        text += f" {sentence(required[0].text)}"
    return text


def _unfinished(collected: Collected) -> str:
    text = collected.failure.get("text")
    if collected.state == "interrupted":
        return "The run was interrupted before its end, so there is no verdict."
    if text:
        return sentence(f"The run could not finish: {text}")
    return "The run has no end: it is still going on, or its process was killed. There is no verdict."


def _ending(collected: Collected) -> list[Line]:
    last = collected.notable.last
    if last is None:
        return [Line("Its journal holds no event: nothing had begun.")]
    lines = [Line(f"The journal stops at {clock(last.t_ns)} with event {last.seq}.", (last.seq,))]
    bad = causes.before(collected, last.seq)
    if bad:
        lines.append(Line("The last things worth knowing before that:"))
        lines += [_step(event) for event in bad[-MOST_STEPS:]]
    return lines


def _finding(collected: Collected, oracle: OracleResult) -> Finding:
    seq = causes.proof(collected, oracle)
    cause = causes.find(collected, oracle)
    chain = [_step(event) for event in causes.chain(collected, cause.first or seq, seq)]
    verb = "is broken" if oracle.verdict == "violated" else "could not be judged"
    text = causes.without_place(oracle.text)
    shown = oracle.evidence
    if not shown:
        shown = (seq,) if seq else ()
    elif seq not in shown:
        text, shown = f"{text.split(';')[0]}; {_message_at(chain, seq)}", (seq,)
    label = "" if oracle.required else " (not required by this scenario, but always watched)"
    return Finding(
        oracle,
        Line(sentence(f"“{oracle.name}” {verb}{label}: {text}"), shown),
        _when(collected, seq, cause.event),
        cause.line,
        tuple(_shortened(chain)),
    )


def _message_at(chain: list[Line], seq: int) -> str:
    text = next((line.text for line in chain if line.seqs == (seq,)), "")
    return text.rpartition(": ")[2]


def _when(collected: Collected, seq: int, cause: Notable | None) -> Line:
    at_ns = collected.timeline.time_of(seq)
    if at_ns is None:
        return Line("The journal does not say when.")
    text = f"At {clock(at_ns)} of simulated time"
    contact = collected.notable.contact_before(seq)
    if contact is None:
        text += ", before the first touchdown"
    else:
        parts = listed([f"part {part} on site {site}" for site, part in contact.parts.items()])
        text += f", in touchdown {contact.touchdown} ({parts})"
    number = collected.notable.sorted_before(seq)
    text += f", after {counted(number, 'device')} had been sorted" if number else ", before any device was sorted"
    if cause is not None and at_ns - cause.t_ns >= 1_000_000:
        text += f"; it began {clock(at_ns - cause.t_ns)} earlier"
    return Line(f"{text}.", (seq,))


def _step(event: Notable) -> Line:
    return Line(f"{clock(event.t_ns)}  {event.lane}: {event.text}", (event.seq,))


def _shortened(chain: list[Line]) -> list[Line]:
    if len(chain) <= MOST_STEPS:
        return chain
    left_out = len(chain) - MOST_STEPS + 1
    return [*chain[: MOST_STEPS - 3], Line(f"… {left_out} more …"), *chain[-2:]]


def _survived(collected: Collected) -> list[Line]:
    """Faults after which the cell came back."""
    lines = []
    for fault in collected.notable.of_kind("fault"):
        text = f"At {clock(fault.t_ns)} the scenario {causes.deed(fault)}."
        bad = causes.trouble_after(collected, fault.seq)
        again = collected.notable.ready_after(bad.seq) if bad is not None else 0
        at_ns = collected.timeline.time_of(again)
        if bad is not None and at_ns is not None:
            text += (
                f" The master went into {bad.state} and was ready again {clock(at_ns - fault.t_ns)} after the fault."
            )
            lines.append(Line(text, (fault.seq, bad.seq, again)))
        elif bad is None and collected.result is not None and collected.result.verdict == "holds":
            lines.append(Line(f"{text} The lot went on without a soft error.", (fault.seq,)))
    return lines[:MOST_STEPS]
