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
- An output whose true value is certainly outside the limits does not pass. One or two devices may have come under
  another law (the lesser of two values, say), several have not. A line of failing devices says this only of those
  between them.
- Values are compared within stretches without a change of the programs' inputs; retests count once.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import NamedTuple

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.lines import FITS, Line, Truth, fits
from drycell.sim.oracles.results import ENDED, INVALID, Output, PartResult

FAR, NEAR = 12.0, 3.0
"""Far off and on the line, in multiples of what usually remains."""
SURE = 1e-6
"""Coincidences less likely than this are none."""
SEVERAL = 3
"""So many devices must have passed wrongly: one or two may have come under another law."""

Place = tuple[str, int, int]
"""An output, the place in it (MPR), and the how-manieth state of the programs' inputs."""


class _Device(NamedTuple):
    """One device: its result, and its true values among those of all devices in contact (site -> true values).

    ``before``: the true values and the result of the device before on its site.
    """

    site: str
    result: PartResult
    true: Truth
    truths: Mapping[str, Truth]
    contact: Event
    before: tuple[Truth, Event] | None

    def others(self) -> Iterator[tuple[str, Truth, Event]]:
        """Whose its values may be by mistake: who that is, the true values there, and the event that proves it."""
        for site, true in self.truths.items():
            if site != self.site:
                yield f"the device on site {site}", true, self.contact
        if self.before is not None:
            yield "the device before", *self.before


class _Measured(NamedTuple):
    """One value that was reported for a device."""

    device: _Device
    output: Output
    value: float

    def told(self) -> str:
        """The beginning of a sentence about it."""
        what = f"{self.output.name} = {self.value:.9g} for part {self.device.result.part}"
        return f"the program of site {self.device.site} reported {what}"


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
    for touchdown in facts.story.touchdowns:
        truths = _truths(touchdown.event)
        for result in touchdown.judged():
            site, true = result.site, truths.get(result.site)
            if true is None:
                continue
            device = _Device(site, result, true, truths, touchdown.event, last.get(site))
            last[site] = true, result.event
            if (touchdown.lot, result.part) in seen:
                continue
            seen.add((touchdown.lot, result.part))
            state = bisect_left(changes, result.event.seq)
            for test in result.tests:
                for output in test.outputs if not test.flag & ENDED else ():
                    name, values = output.name, output.values if not output.flag & INVALID else ()
                    for place, value in enumerate(values):
                        found[name, place, state].append(_Measured(device, output, value))
    return found


def _truths(contact: Event) -> Mapping[str, Truth]:
    """Site -> true values of the device that really is there."""
    return {
        str(entry["site"]): entry["true"]
        for entry in contact.fields["sites"]
        if isinstance(entry.get("true"), dict) and entry["true"]
    }


def _lines(
    measured: Mapping[Place, Sequence[_Measured]], truth: Callable[[_Device], Truth]
) -> dict[Place, Line | None]:
    """The line that each output follows by ``truth`` of its devices."""
    together: dict[tuple[int, ...], list[Place]] = defaultdict(list)
    for place, all_ in measured.items():
        together[tuple([id(one.device) for one in all_])].append(place)
    found: dict[Place, Line | None] = {}
    for places in together.values():
        devices = [(one.device.site, truth(one.device)) for one in measured[places[0]]]
        lines = fits(devices, [[one.value for one in measured[place]] for place in places])
        found.update(zip(places, lines, strict=True))
    return {place: found[place] for place in measured}


def _own_lines(facts: Facts) -> Mapping[Place, Line | None]:
    """The line that each output follows by the true values of its own device."""
    return _lines(facts.once(_measured), lambda device: device.true)


# values of other devices -------------------------------------------------------------------------------------------


def _follow_truth(facts: Facts) -> Iterator[Case]:
    measured, lines = facts.once(_measured), facts.once(_own_lines)
    off: dict[Hashable, list[_Hit | None]] = defaultdict(list)
    late = _late_from_the_start({place: measured[place] for place, line in lines.items() if line is None})
    for place, line in lines.items():
        if line is None:
            yield from late.get(place, ())
            continue
        for one in measured[place]:
            device = one.device
            if device.site not in line.offsets:
                continue
            if line.off(one.value, device.true, device.site) > FAR:
                for whose, hit in _hits(one, line):
                    off[place, whose].append(hit)
                    off[device.result.event.seq, whose].append(hit)
            else:
                yield None
    for group in off.values():
        hits = [hit for hit in group if hit is not None]
        if hits and comb(len(group), len(hits)) * prod(hit.chance for hit in hits) < SURE:
            yield hits[0].breach


def _hits(one: _Measured, line: Line) -> Iterator[tuple[str, _Hit | None]]:
    for whose, true, event in one.device.others():
        if line.off(one.value, true, one.device.site) > NEAR:
            yield whose, None
            continue
        about = f"its true {line.name} is {one.device.true[line.name]:.6g}; {true[line.name]:.6g} is that of {whose}"
        breach = Breach(f"{one.told()}; {about}", one.device.result.event, (event,))
        yield whose, _Hit(min(1.0, 2 * NEAR * line.blur(true)), breach)


def _true_before(device: _Device) -> Truth:
    return device.before[0] if device.before else {}


def _coincides(line: Line, followers: Sequence[_Measured]) -> float:
    """How likely it is that by chance so many of ``followers`` lie on a line of some true value of the device before.

    One of them, and one more for each site, make the line; the others happen to lie on it.
    """
    truths = [_true_before(one.device) for one in followers]
    rests = [
        abs(one.value - line.at(true, one.device.site))
        for one, true in zip(followers, truths, strict=True)
        if one.device.site in line.offsets
    ]
    on_line = sum(rest <= FITS * line.spread for rest in rests)
    free = on_line - 1 - len(line.offsets)
    return comb(len(rests), on_line) * float((2 * FITS) ** free) * len(truths[0])


def _late_from_the_start(measured: Mapping[Place, Sequence[_Measured]]) -> Mapping[Place, Sequence[Case]]:
    """The breaches of those outputs that follow a true value of the device before."""
    followers = {place: [one for one in all_ if one.device.before is not None] for place, all_ in measured.items()}
    found = {}
    for place, line in _lines(followers, _true_before).items():
        if line is None or _coincides(line, followers[place]) * len(measured) >= SURE:
            continue
        count, last = len(followers[place]), followers[place][-1].device
        before = (last.before[1],) if last.before else ()
        text = f"{place[0]} of {count} devices follows the true {line.name} of the device before on its site"
        text = f"the program of site {last.site} reports old values: {text}"
        found[place] = [Breach(text, last.result.event, before)]
    return found


# true failures -----------------------------------------------------------------------------------------------------


def _true_failures(facts: Facts) -> Iterator[Case]:
    for place, line in facts.once(_own_lines).items():
        if line is None:
            continue
        there = [one for one in facts.once(_measured)[place] if one.device.site in line.offsets]
        outside = [one for one in there if _outside(line, one, FAR)]
        if outside and not _is_of_good_devices(line, there):
            outside = [one for one in outside if line.reaches(one.device.true)]
        passed = [one for one in outside if not one.output.flag]
        yield from [None] * (len(outside) - len(passed))
        if len(passed) >= SEVERAL:
            yield _passed(line, passed)


def _passed(line: Line, all_: Sequence[_Measured]) -> Breach:
    """The breach of several devices that passed: the first of them in words, all of them as proof."""
    first, *others = all_
    true, low, high = first.device.true, first.output.low, first.output.high
    expected = line.at(true, first.device.site)
    about = f"passed it, but by its true {line.name} ({true[line.name]:.6g}) it is {expected:.6g}"
    limits = f"outside {'' if low is None else f'{low:.6g}'} to {'' if high is None else f'{high:.6g}'}"
    text = f"{first.told()} and {about}, {limits}; so it is with {len(others)} more devices, this one"
    return Breach(text, first.device.result.event, tuple(one.device.result.event for one in others))


def _outside(line: Line, one: _Measured, tolerances: float) -> bool:
    """Whether the value on the line is outside the limits by more than so many tolerances."""
    true, low, high = one.device.true, one.output.low, one.output.high
    expected = line.at(true, one.device.site)
    if (low is None or expected >= low) and (high is None or expected <= high):
        return False
    margin = tolerances * line.tolerance(true)
    return (low is not None and expected + margin < low) or (high is not None and expected - margin > high)


def _is_of_good_devices(line: Line, there: Sequence[_Measured]) -> bool:
    """Whether most devices on the line are within the limits by it."""
    on_line = [one for one in there if line.off(one.value, one.device.true, one.device.site) <= NEAR]
    return 2 * sum(_outside(line, one, 0.0) for one in on_line) <= len(on_line)


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
