"""Promise about true values: what a program reports for a device fits what the simulated device really is.

The journal's ``contact`` events say what only the simulator knows, the true values of each device in contact. This
finds wrong data whatever way a program measures, also where no meter's answer is in the journal.

Rules
- Which output measures which true value is learnt from the run: over the devices of a lot, an output that is a
  straight line of one true value but for a small remainder measures it. Each site has an offset of its own.
- A value is wrong when it is far off its own device's line and lies on it for another device: the one before on its
  site, or one on another site in the same touchdown. Being off alone (another regime, a defect) proves nothing.
- An output that follows no true value of its own device, but one of the device before, is late from the start.
- Values are compared within stretches without a change of the programs' inputs; retests count once.
- Slopes are medians of pairwise slopes (Theil 1950, Sen 1968), so that a few wrong values do not bend the line.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import median

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.results import ENDED, INVALID, PartResult

Truth = Mapping[str, float]
LEAST_DEVICES = 8
"""Fewer devices teach nothing."""
LEAST_PER_SITE = 4
FITS = 0.02
"""A line fits when what remains is at most this share of how much the values differ, in the middle of both."""
FAR, NEAR = 12.0, 3.0
"""Far off and on the line, in multiples of what usually remains."""
MOST_PAIRS = 2000
ROUNDING = 1e-6
"""What always remains, as a share of the value: numbers are reported with about seven digits."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """One reported value: of which device, and of whom it may be by mistake (words -> truth and event)."""

    result: PartResult
    value: float
    true: Truth
    others: Mapping[str, tuple[Truth, Event]]


@dataclass(frozen=True, slots=True)
class _Line:
    """``value = slope * true[name] + offset of the site``; ``rest``: what usually remains."""

    name: str
    slope: float
    offsets: Mapping[str, float]
    rest: float

    def off(self, value: float, true: Truth, site: str) -> float:
        """How far ``value`` is from the line at ``true``."""
        return abs(value - self.slope * true[self.name] - self.offsets[site])


def _follow_truth(facts: Facts) -> Iterator[Case]:
    for (output, _, _), measured in _by_output(facts).items():
        line = _line([(one.result.site, one.true, one.value) for one in measured])
        if line is None:
            yield from _late_from_the_start(output, measured)
            continue
        for one in measured:
            if one.result.site in line.offsets:
                yield _judge(output, one, line)


def _judge(output: str, one: _Measured, line: _Line) -> Case:
    site = one.result.site
    if line.off(one.value, one.true, site) <= FAR * line.rest:
        return None
    for whose, (true, event) in one.others.items():
        if line.off(one.value, true, site) <= NEAR * line.rest:
            text = f"the program of site {site} reported {output} = {one.value:.9g} for part {one.result.part}"
            about = f"its true {line.name} is {one.true[line.name]:.6g}; {true[line.name]:.6g} is that of {whose}"
            return Breach(f"{text}; {about}", one.result.event, (event,))
    return None


def _late_from_the_start(output: str, measured: Sequence[_Measured]) -> Iterator[Case]:
    before = [(one, *one.others[_BEFORE]) for one in measured if _BEFORE in one.others]
    line = _line([(one.result.site, true, one.value) for one, true, _ in before])
    if line is not None:
        one, _, event = before[-1]
        text = f"{output} of {len(before)} devices follows the true {line.name} of the device before on its site"
        yield Breach(f"the program of site {one.result.site} reports old values: {text}", one.result.event, (event,))


_BEFORE = "the device before"


def _by_output(facts: Facts) -> Mapping[tuple[str, int, int], Sequence[_Measured]]:
    """(output, place in an MPR, how-manieth state of the inputs) -> its values, each device once."""
    changes = [h.event.seq for h in facts.heard("TestApp/cmd") if (h.content or {}).get("command") == "setparameter"]
    found: dict[tuple[str, int, int], list[_Measured]] = defaultdict(list)
    last: dict[str, tuple[Truth, Event]] = {}
    seen: set[tuple[str, str]] = set()
    for touchdown, result in facts.story.judged:
        truths = _truths(touchdown.event)
        true = truths.get(result.site)
        if true is None:
            continue
        others = {
            f"the device on site {site}": (theirs, touchdown.event)
            for site, theirs in truths.items()
            if site != result.site
        }
        if result.site in last:
            others[_BEFORE] = last[result.site]
        last[result.site] = true, result.event
        if (touchdown.lot, result.part) in seen:
            continue
        seen.add((touchdown.lot, result.part))
        state = sum(seq < result.event.seq for seq in changes)
        for test in result.tests:
            for output in test.outputs if not test.flag & ENDED else ():
                for place, value in enumerate(output.values if not output.flag & INVALID else ()):
                    found[output.name, place, state].append(_Measured(result, value, true, others))
    return found


def _truths(contact: Event) -> Mapping[str, Truth]:
    """Site -> true values of the device that really is there."""
    return {
        str(entry["site"]): entry["true"]
        for entry in contact.fields["sites"]
        if isinstance(entry.get("true"), dict) and entry["true"]
    }


def _line(points: Sequence[tuple[str, Truth, float]]) -> _Line | None:
    """The line on which most of ``points`` (site, truth, value) lie; None when there is none."""
    sites: dict[str, list[tuple[Truth, float]]] = defaultdict(list)
    for site, true, value in points:
        sites[site].append((true, value))
    enough = {site: members for site, members in sites.items() if len(members) >= LEAST_PER_SITE}
    if sum(map(len, enough.values())) < LEAST_DEVICES:
        return None
    names = set.intersection(*(set(true) for members in enough.values() for true, _ in members))
    lines = [line for name in sorted(names) if (line := _line_of(name, enough)) is not None]
    return min(lines, key=lambda line: line.rest, default=None)


def _line_of(name: str, sites: Mapping[str, Sequence[tuple[Truth, float]]]) -> _Line | None:
    slopes = [
        (value - other_value) / (true[name] - other[name])
        for members in sites.values()
        for (true, value), (other, other_value) in islice(combinations(members, 2), MOST_PAIRS)
        if true[name] != other[name]
    ]
    if not slopes:
        return None
    slope = median(slopes)
    offsets = {site: median(value - slope * true[name] for true, value in m) for site, m in sites.items()}
    rests = [abs(v - slope * true[name] - offsets[site]) for site, m in sites.items() for true, v in m]
    middles = {site: median(value for _, value in members) for site, members in sites.items()}
    spread = median(abs(value - middles[site]) for site, members in sites.items() for _, value in members)
    rest = median(rests)
    least = ROUNDING * max(abs(middle) for middle in middles.values())
    return _Line(name, slope, offsets, max(rest, least)) if rest <= FITS * spread and spread > least else None


TRUTH_ORACLES = (
    Oracle(
        "values fit the true device",
        "A value that follows a true value of the devices does so for the device in contact, not for another one.",
        cases(
            _follow_truth,
            held="{count} values fit what their device really is",
            unknown="no output followed a true value of the devices",
        ),
        "an output that is a straight line of one true value, over 8 devices or more",
    ),
)
