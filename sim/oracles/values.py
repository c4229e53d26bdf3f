"""Promise about measured values: what a program reports is what its meter told it in this touchdown.

Rules
- Which output reports which answer is learnt from the run: an output whose value equals a certain number of a certain
  answer in at least half of the touchdowns in which that question was asked, and twice at least, is a reading, and
  must always be.
- A number told more than twice for one device (zero, for one without contact) teaches nothing.
- An output that never equals an answer for its own device, but for half of the devices or more (three at least,
  retests count once) one for the device before, is stale from the start.
- A value that is any other number told for the same device (a minimum, a maximum) is not judged, nor is an output
  that is no reading (a mean).
- Of a test that ended by an exception only this is judged: a number that it reports as valid is none that was told
  for the device before alone.
- Numbers are compared to nine significant digits, scaled by RES_SCAL; one too large for a record is infinite there.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.results import ENDED, INVALID, PartResult
from drycell.sim.oracles.touchdowns import Touchdown, question

Key = tuple[str, int, int]
"""A number told by a meter: the question without its site, its how-manieth time, the place in the answer."""
Name = tuple[str, int]
"""A number that a program reports: the output, and the place in it."""
DIGITS = "%.9g"
SHARE = 0.5
SEVERAL = 3
AMBIGUOUS = 2
LARGEST = 3.4028234663852886e38
"""The largest R*4 (IEEE 754 binary32); a record of STDF V4 reports more as infinite."""


class _Reported(NamedTuple):
    """One result with what was told for it and what it reports, the numbers as text.

    ``ended``: the same for tests that an exception ended.
    """

    touchdown: Touchdown
    result: PartResult
    told: Mapping[Key, str]
    values: Mapping[Name, str]
    ended: Mapping[Name, str]


def _told(asks: Sequence[Event]) -> dict[Key, str]:
    times: dict[str, int] = {}
    found: dict[Key, str] = {}
    for event in asks:
        asked = _asked(event.actor, str(event.fields.get("line")))
        time = times[asked] = times.get(asked, 0) + 1
        for place, number in enumerate(str(event.fields.get("answer")).split(",")):
            try:
                found[asked, time, place] = DIGITS % float(number)
            except ValueError:
                break
    return found


@lru_cache(maxsize=4096)
def _asked(actor: str, line: str) -> str:
    return f"{actor} {question(line)[1]}"


def _values(result: PartResult) -> tuple[dict[Name, str], dict[Name, str]]:
    """What the tests report, and what those report that an exception ended."""
    values: dict[Name, str] = {}
    ended: dict[Name, str] = {}
    for test in result.tests:
        found = ended if test.flag & ENDED else values
        for output in test.outputs:
            if output.flag & INVALID:
                continue
            name, scale = output.name, output.scale
            for place, value in enumerate(output.values):
                found[name, place] = DIGITS % (value * 10.0**scale if scale else value)
    return values, ended


def _reported(facts: Facts) -> list[_Reported]:
    found = []
    for touchdown, result in facts.story.reported:
        asks = [e for e in touchdown.asks.get(result.site, ()) if e.seq < result.event.seq]
        if asks:
            found.append(_Reported(touchdown, result, _told(asks), *_values(result)))
    return found


def _learn(reported: Sequence[_Reported]) -> dict[Name, Key]:
    """The outputs that are readings, and of what."""
    asked = Counter(chain.from_iterable(one.told for one in reported))
    matches: dict[Name, dict[Key, int]] = defaultdict(dict)
    for one in reported:
        by_number: dict[str, list[Key]] = {}
        for key, number in one.told.items():
            by_number.setdefault(number, []).append(key)
        for name, value in one.values.items():
            keys = by_number.get(value)
            if keys is not None and len(keys) <= AMBIGUOUS:
                counts = matches[name]
                for key in keys:
                    counts[key] = counts.get(key, 0) + 1
    readings: dict[Name, Key] = {}
    for name, counts in matches.items():
        best, count = max(counts.items(), key=lambda item: item[1] / asked[item[0]])
        if count > 1 and count >= SHARE * asked[best]:
            readings[name] = best
    return readings


def _own_values(facts: Facts) -> Iterator[Case]:
    reported = _reported(facts)
    readings = _learn(reported)
    before: dict[str, _Reported] = {}
    stale: Counter[Name] = Counter()
    followers: set[tuple[str, str]] = set()
    for one in reported:
        yield from _judge(one, readings, before, reported)
        last = before.get(one.result.site)
        if last is not None:
            told_before = Counter(last.told.values())
            old = {number for number in told_before.keys() - one.told.values() if told_before[number] <= AMBIGUOUS}
            device = one.touchdown.lot, one.result.part
            if device not in followers:
                followers.add(device)
                stale.update(name for name, value in one.values.items() if value in old and name not in readings)
            yield from _left_over(one, last, old)
        before[one.result.site] = one
    for name, times in stale.items():
        if times >= SEVERAL and times >= SHARE * len(followers):
            text = f"{times} of {len(followers)} times {name[0]} was a value of the device before on its site;"
            yield Breach(f"{text} last result", reported[-1].result.event)


def _left_over(one: _Reported, last: _Reported, old: Collection[str]) -> Iterator[Case]:
    for name, value in one.ended.items():
        if value in old:
            who = f"the program of site {one.result.site} reported {name[0]} = {value} for part {one.result.part}"
            text = f"{who} after an exception; {value} is of part {last.result.part}, the device before"
            yield Breach(text, one.result.event, (last.result.event,))


def _judge(
    one: _Reported,
    readings: Mapping[Name, Key],
    before: Mapping[str, _Reported],
    reported: Sequence[_Reported],
) -> Iterator[Case]:
    for name, value in one.values.items():
        reading = readings.get(name)
        if reading is None or (told := one.told.get(reading)) is None:
            continue
        if value == told or value == _as_r4(told):
            yield None
            continue
        if value in one.told.values():
            continue
        who = f"the program of site {one.result.site} reported {name[0]} = {value} for part {one.result.part}"
        text, others = _whose(one, reading, value, before, reported)
        yield Breach(f"{who}; the meter had told it {told}{text}", one.result.event, others)


def _as_r4(number: str) -> str:
    return DIGITS % math.copysign(math.inf, float(number)) if abs(float(number)) > LARGEST else number


def _whose(
    one: _Reported, key: Key, value: str, before: Mapping[str, _Reported], reported: Sequence[_Reported]
) -> tuple[str, tuple[Event, ...]]:
    """To whom the reported value really belongs, for the sentence and the proof."""
    last = before.get(one.result.site)
    if last is not None and last.told.get(key) == value:
        return f" ({value} is of part {last.result.part}, the device before)", (last.result.event,)
    for other in reported:
        if other.touchdown is one.touchdown and other is not one and other.told.get(key) == value:
            return f" ({value} is of part {other.result.part} on site {other.result.site})", (other.result.event,)
    return "", (one.touchdown.event,)


VALUE_ORACLES = (
    Oracle(
        "values are of this device",
        "A value read from a meter is reported as the meter told it for this device in this touchdown.",
        cases(
            _own_values,
            held="{count} values are what the meter told in the same touchdown",
            unknown="no reported value could be traced to a meter",
        ),
        "a reported value that is a reading: in half of the touchdowns or more it equals the same answer",
    ),
)
