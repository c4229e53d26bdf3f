"""The small vocabulary of ``expect``: sentences about states, counts and yield, compiled to oracles.

Each sentence form is one row of a table. A duration counts from the scenario's first fault, or from the beginning of
the run when it has none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.kernel import Event, ns
from drycell.sim.oracles.base import Answer, Oracle, at
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.states import announcements
from drycell.sim.scenario.words import seconds

_CRASH = "crash"
_ROLES = {"master": "master", "handler": "handler", "control": "control", "program": "sequencer"}


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of sentence: how it looks, what it means, and the check it compiles to."""

    example: str
    meaning: str
    pattern: re.Pattern[str]
    compile: Callable[[re.Match[str]], Callable[[Facts], Answer]]


def _who(match: re.Match[str]) -> str:
    return match["role"] + (f" of site {match['site']}" if match["site"] else "")


def _hits(facts: Facts, match: re.Match[str]) -> list[Event]:
    """The announcements that a sentence speaks of."""
    role, site, state = _ROLES[match["role"]], match["site"], match["state"]
    return [
        event
        for event, said_by, said_state in announcements(facts, role)
        if said_state == state and (site is None or said_by == site)
    ]


def _begin(facts: Facts) -> tuple[int, str]:
    fault = next(facts.of_kind("fault"), None)
    return (0, "the beginning") if fault is None else (fault.t_ns, f"the first fault {at(fault)}")


def _reaches(match: re.Match[str]) -> Callable[[Facts], Answer]:
    limit_s = None if match["within"] is None else float(seconds(match["within"]))  # type: ignore[arg-type]

    def check(facts: Facts) -> Answer:
        begin_ns, since = _begin(facts)
        hit = next((event for event in _hits(facts, match) if event.t_ns >= begin_ns), None)
        what = f"{_who(match)} announced {match['state']}"
        if hit is None:
            last = facts.events[-1].seq if facts.events else 0
            return Answer("violated", f"the {_who(match)} never announced {match['state']} after {since}", (last,))
        took_s = (hit.t_ns - begin_ns) / 1e9
        if limit_s is not None and hit.t_ns - begin_ns > ns(limit_s):
            return Answer(
                "violated", f"the {what} {took_s:.9g} s after {since}, later than {limit_s:g} s", (hit.seq,)
            )
        return Answer("holds", f"the {what} {took_s:.9g} s after {since}", (hit.seq,))

    return check


def _never(match: re.Match[str]) -> Callable[[Facts], Answer]:
    def check(facts: Facts) -> Answer:
        hits = _hits(facts, match)
        if hits:
            return Answer("violated", f"the {_who(match)} announced {match['state']} {at(hits[0])}", (hits[0].seq,))
        return Answer("holds", f"the {_who(match)} never announced {match['state']}")

    return check


def _sorted(match: re.Match[str]) -> Callable[[Facts], Answer]:
    def check(facts: Facts) -> Answer:
        devices = {(event.fields["lot"], event.fields["device"]) for event in facts.of_kind("sorted")}
        verdict = _compare(len(devices), match["bound"], int(match["count"]))
        return Answer("holds" if verdict else "violated", f"{len(devices)} devices were sorted")

    return check


def _yield(match: re.Match[str]) -> Callable[[Facts], Answer]:
    def check(facts: Facts) -> Answer:
        final = {result.part: result for result in facts.results if result.has_part}
        if not final:
            return Answer("unknown", "no device was tested")
        percent = 100 * sum(1 <= result.soft_bin <= 9 for result in final.values()) / len(final)
        verdict = _compare(percent, match["bound"], float(match["percent"]))
        return Answer("holds" if verdict else "violated", f"the yield is {percent:.1f} %")

    return check


def _compare(value: float, bound: str, limit: float) -> bool:
    return value >= limit if bound == "at least" else value <= limit


_SUBJECT = r"(?:the )?(?P<role>master|handler|control|program)(?: (?:of site )?(?P<site>\d+))?"
_STATE = r"(?P<state>[A-Za-z]+)"
_BOUND = r"(?P<bound>at least|at most)"

FORMS = (
    Form(
        "master reaches softerror within 31s",
        "announces that state, at the latest so long after the first fault",
        re.compile(rf"{_SUBJECT} reaches {_STATE}(?: within (?P<within>[0-9.]+ ?(?:ns|us|ms|s|min|h)))?"),
        _reaches,
    ),
    Form(
        "program of site 1 never reaches error",
        "never announces that state",
        re.compile(rf"{_SUBJECT} never reaches {_STATE}"),
        _never,
    ),
    Form(
        "at least 20 devices are sorted",
        "so many devices went into a bin",
        re.compile(rf"{_BOUND} (?P<count>\d+) devices are sorted"),
        _sorted,
    ),
    Form(
        "yield is at least 80 %",
        "share of tested devices whose last soft bin is 1 to 9",
        re.compile(rf"yield is {_BOUND} (?P<percent>\d+(?:\.\d+)?) ?%"),
        _yield,
    ),
)


def compiled(sentence: str) -> Oracle | None:
    """The oracle that ``sentence`` stands for, None when it has none of the forms or names no state of its role."""
    for form in FORMS:
        match = form.pattern.fullmatch(" ".join(sentence.split()))
        if match is None:
            continue
        if "state" in match.groupdict() and match["state"] not in _states(match["role"]):
            return None
        return Oracle(sentence, form.meaning, form.compile(match), "the run", ambient=False)
    return None


def _states(role: str) -> set[str]:
    """What a role may announce in some dialect."""
    tables = [dialect.tables[_ROLES[role]] for dialect in DIALECTS.values()]
    return {_CRASH, *(name for table in tables for name in table.published.values())}


def markdown() -> str:
    """The table of all forms for the docs."""
    rows = [f"| `{form.example}` | {form.meaning} |" for form in FORMS]
    return "\n".join(["| sentence | means |", "|---|---|", *rows])
