"""One device's result as its program sent it, in the few values that oracles compare. Pure."""

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from drycell.sim.kernel import Event

FAILED = 0x80
"""TEST_FLG bit 7: the test failed (STDF V4, PTR)."""
INVALID = 0x02
"""TEST_FLG bit 1: RESULT is not valid (STDF V4, PTR)."""
ENDED = 0x01
"""TEST_FLG of an FTR whose test ended by an exception (semi-ate)."""
PART_FAILED = 0x18
"""PART_FLG bits 3 and 4: the device failed, or has no verdict (STDF V4, PRR)."""


class Output(NamedTuple):
    """One PTR or MPR. ``values`` are in the unit of the limits, ``scale`` is RES_SCAL.

    ``inside``: every value lies within the limits of the record; a missing limit does not limit.
    """

    name: str
    number: int
    flag: int
    values: Sequence[float]
    low: float | None
    high: float | None
    scale: int
    inside: bool


class RanTest(NamedTuple):
    """One test of a device: the FTR and the outputs before it."""

    number: int
    flag: int
    outputs: Sequence[Output]

    @property
    def failed(self) -> bool:
        """Whether it failed or ended without a verdict."""
        return self.flag != 0


class PartResult(NamedTuple):
    """One ``testresult``. ``fault`` says in words what is wrong with the order of its records, "" for nothing.

    The numbers of the PRR are -1 when it is missing or holds something else. ``failing`` is the index of the first
    failing test; ``outputs``: how many PTR and MPR the tests hold; ``test_records``: how many PTR, MPR and FTR there
    are, in whatever order; ``told_site``: what the PRR says, as ``site`` is what the topic says.
    """

    event: Event
    site: str
    fault: str
    part: str
    soft_bin: int
    hard_bin: int
    part_flag: int
    num_test: int
    tests: Sequence[RanTest]
    failing: int | None
    outputs: int
    test_records: int
    told_site: str

    @property
    def has_part(self) -> bool:
        """Whether there is exactly one PRR with all numbers."""
        return self.hard_bin >= 0

    @property
    def passed(self) -> bool:
        """What PART_FLG says."""
        return self.part_flag & PART_FAILED == 0


def part_result(event: Event, site: str, content: Mapping[str, Any] | None) -> PartResult:
    """The result in ``content``; whatever is missing in it shows as ``fault`` and -1."""
    records = (content or {}).get("payload")
    if not isinstance(records, list) or not set(map(type, records)) <= {dict}:
        return PartResult(event, site, "it is no list of records", "", -1, -1, -1, -1, (), None, 0, 0, site)
    kinds = [record.get("type") for record in records]
    prr = records[kinds.index("PRR")] if kinds.count("PRR") == 1 else {}
    numbers = [_whole(prr.get(name)) for name in ("SOFT_BIN", "HARD_BIN", "PART_FLG", "NUM_TEST")]
    if -1 in numbers[:3]:
        numbers = [-1] * 4
    tests, left, fault = _tests(kinds, records)
    soft, hard, flag, num_test = numbers
    failing = next((index for index, test in enumerate(tests) if test.flag), None)
    outputs = sum([len(test.outputs) for test in tests])
    wrong = fault or _strange(records, site)
    part = str(prr.get("PART_ID"))
    count = outputs + len(tests) + len(left)
    told = str(prr.get("SITE_NUM", site))
    return PartResult(event, site, wrong, part, soft, hard, flag, num_test, tests, failing, outputs, count, told)


def _whole(value: object, least: int = 0, missing: int = -1) -> int:
    return value if isinstance(value, int) and value >= least else missing


def _number(value: object) -> float | None:
    if value.__class__ is float:
        return value
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None


def _strange(records: Sequence[Mapping[str, Any]], site: str) -> str:
    number = int(site) if site.isdecimal() else -1
    for record in records:
        if record.get("SITE_NUM") != number:
            return f"its {record.get('type')} says site {record.get('SITE_NUM')}"
    return ""


def _tests(
    kinds: Sequence[object], records: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[RanTest], Sequence[Output], str]:
    """The tests, the outputs that no FTR follows, and what is wrong with the order: PIR, then outputs and FTR per
    test, then PRR."""
    tests: list[RanTest] = []
    outputs: list[Output] = []
    fault = "" if kinds[:1] == ["PIR"] else "it does not begin with a PIR"
    for place, (kind, record) in enumerate(zip(kinds, records, strict=True)):
        if kind == "PTR" or kind == "MPR":
            outputs.append(_output(record, record.get("RTN_RSLT") if kind == "MPR" else [record.get("RESULT")]))
        elif kind == "FTR":
            tests.append(RanTest(_whole(record.get("TEST_NUM")), _whole(record.get("TEST_FLG")), tuple(outputs)))
            outputs = []
        elif kind == "PRR":
            fault = fault or ("" if place == len(records) - 1 else "something follows its PRR")
        elif kind == "PIR":
            fault = fault or ("" if place == 0 else "it has more than one PIR")
        else:
            fault = fault or f"a {kind} is among its records"
    if outputs:
        fault = fault or f"output {outputs[0].name} has no FTR"
    if kinds[-1:] != ["PRR"]:
        fault = fault or "it does not end with a PRR"
    numbers = [test.number for test in tests]
    if len(set(numbers)) != len(numbers):
        fault = fault or "it holds a test twice"
    return tests, outputs, fault


_OF_OUTPUT = ("TEST_TXT", "TEST_NUM", "TEST_FLG", "RES_SCAL", "LO_LIMIT", "HI_LIMIT")
_all_of_output = itemgetter(*_OF_OUTPUT)


def _output(record: Mapping[str, Any], values: object) -> Output:
    try:
        name, number, flag, scale, least, most = _all_of_output(record)
    except KeyError:
        name, number, flag, scale, least, most = map(record.get, _OF_OUTPUT)
    low, high = _number(least), _number(most)
    lowest = -math.inf if low is None else low
    highest = math.inf if high is None else high
    found, inside = [], True
    for value in values if isinstance(values, list) else ():
        told = _number(value)
        if told is not None:
            found.append(told)
            inside = inside and lowest <= told <= highest
    scale = min(127, _whole(scale, -128, 0))
    return Output(str(name), _whole(number), _whole(flag), tuple(found), low, high, scale, inside)
