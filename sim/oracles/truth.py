"""Promises about true values: what a program reports for a device fits what the simulated device really is.

The journal's ``contact`` events say what only the simulator knows, the true values of each device in contact. This
finds wrong data whatever way a program measures, also where no meter's answer is in the journal.

Rules
- Which output measures which true value is learnt from the run (:mod:`drycell.sim.oracles.lines`): over the devices
  of a lot, an output that is a straight line of one true value measures it. Each site has an offset of its own.
- Being off that line alone (another regime, a defect) proves nothing. Values are wrong when they are far off their
  own device's line and lie on it for another device, the one before on the site or one on another site in the same
  touchdown, more often than chance explains: over the devices of a lot, or over the outputs of one device.
- An output that follows no true value of its own device, but one of the device before, is late from the start.
- An output whose true value is certainly outside the limits does not pass.
- Values are compared within stretches without a change of the programs' inputs; retests count once.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, prod

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.lines import Line, Truth, fit
from drycell.sim.oracles.results import ENDED, INVALID, Output, PartResult

FAR, NEAR = 12.0, 3.0
"""Far off and on the line, in multiples of what usually remains."""
SURE = 1e-6
"""Coincidences less likely than this are none."""
_BEFORE = "the device before"

Place = tuple[str, int, int]
"""An output, the place in it (MPR), and the how-manieth state of the programs' inputs."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """One reported value: of which device, and of whom it may be by mistake (words -> truth and event)."""

    result: PartResult
    output: Output
    value: float
    true: Truth
    others: Mapping[str, tuple[Truth, Event]]

    @property
    def site(self) -> str:
        return self.result.site

    def told(self) -> str:
        """The beginning of a sentence about it."""
        what = f"{self.output.name} = {self.value:.9g} for part {self.result.part}"
        return f"the program of site {self.site} reported {what}"


@dataclass(frozen=True, slots=True)
class _Hit:
    """A value far off its own line that lies on another device's, and how likely that is by chance."""

    chance: float
    breach: Breach


def _measured(facts: Facts) -> Mapping[Place, Sequence[_Measured]]:
    """The values of each output, each device once."""
    changes = [h.event.seq for h in facts.heard("TestApp/cmd") if (h.content or {}).get("command") == "setparameter"]
    found: dict[Place, list[_Measured]] = defaultdict(list)
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
        for output in (output for test in result.tests if not test.flag & ENDED for output in test.outputs):
            for place, value in enumerate(output.values if not output.flag & INVALID else ()):
                found[output.name, place, state].append(_Measured(result, output, value, true, others))
    return found


def _truths(contact: Event) -> Mapping[str, Truth]:
    """Site -> true values of the device that really is there."""
    return {
        str(entry["site"]): entry["true"]
        for entry in contact.fields["sites"]
        if isinstance(entry.get("true"), dict) and entry["true"]
    }


def _own_lines(facts: Facts) -> Mapping[Place, Line | None]:
    """The line that each output follows by the true values of its own device."""
    found = facts.once(_measured)
    return {place: fit([(one.site, one.true, one.value) for one in all_]) for place, all_ in found.items()}


# values of other devices -------------------------------------------------------------------------------------------


def _follow_truth(facts: Facts) -> Iterator[Case]:
    off: dict[Hashable, list[_Hit | None]] = defaultdict(list)
    for place, line in facts.once(_own_lines).items():
        all_ = facts.once(_measured)[place]
        if line is None:
            yield from _late_from_the_start(place, all_)
            continue
        for one in all_:
            if one.site in line.offsets and line.off(one.value, one.true, one.site) > FAR:
                for whose, hit in _hits(one, line):
                    off[place, whose].append(hit)
                    off[one.result.event.seq, whose].append(hit)
            elif one.site in line.offsets:
                yield None
    for group in off.values():
        hits = [hit for hit in group if hit is not None]
        if hits and comb(len(group), len(hits)) * prod(hit.chance for hit in hits) < SURE:
            yield hits[0].breach


def _hits(one: _Measured, line: Line) -> Iterator[tuple[str, _Hit | None]]:
    for whose, (true, event) in one.others.items():
        if line.off(one.value, true, one.site) > NEAR:
            yield whose, None
            continue
        about = f"its true {line.name} is {one.true[line.name]:.6g}; {true[line.name]:.6g} is that of {whose}"
        breach = Breach(f"{one.told()}; {about}", one.result.event, (event,))
        yield whose, _Hit(min(1.0, 2 * NEAR * line.blur(true)), breach)


def _late_from_the_start(place: Place, all_: Sequence[_Measured]) -> Iterator[Case]:
    before = [(one, *one.others[_BEFORE]) for one in all_ if _BEFORE in one.others]
    line = fit([(one.site, true, one.value) for one, true, _ in before])
    if line is not None:
        one, _, event = before[-1]
        text = f"{place[0]} of {len(before)} devices follows the true {line.name} of the device before on its site"
        yield Breach(f"the program of site {one.site} reports old values: {text}", one.result.event, (event,))


# true failures -----------------------------------------------------------------------------------------------------


def _true_failures(facts: Facts) -> Iterator[Case]:
    for place, line in facts.once(_own_lines).items():
        for one in facts.once(_measured)[place] if line is not None else ():
            if line is None or one.site not in line.offsets:
                continue
            expected, margin = line.at(one.true, one.site), FAR * line.tolerance(one.true)
            low, high = one.output.low, one.output.high
            if (low is None or expected + margin >= low) and (high is None or expected - margin <= high):
                continue
            if one.output.flag:
                yield None
                continue
            about = f"passed it, but by its true {line.name} ({one.true[line.name]:.6g}) it is {expected:.6g}"
            limits = f"outside {'' if low is None else f'{low:.6g}'} to {'' if high is None else f'{high:.6g}'}"
            yield Breach(f"{one.told()} and {about}, {limits}", one.result.event)


TRUTH_ORACLES = (
    Oracle(
        "values fit the true device",
        "A value that follows a true value of the devices does so for the device in contact, not for another one.",
        cases(
            _follow_truth,
            held="{count} values fit what their device really is",
            unknown="no output followed a true value of the devices",
        ),
        "an output that is a straight line of one true value",
    ),
    Oracle(
        "true failures are failed",
        "An output whose true value is certainly outside its limits is not reported as passed.",
        cases(
            _true_failures,
            held="{count} values that are truly outside their limits were failed",
            unknown="no device was certainly outside the limits of an output",
        ),
        "an output that is a straight line of one true value, and a device far outside its limits",
    ),
)
