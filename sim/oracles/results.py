"""One device's result as its program sent it, in the few values that oracles compare. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class PartResult:
    """One ``testresult``. ``fault`` says in words what is wrong with the order of its records, "" for nothing.

    The numbers of the PRR are -1 when it is missing or holds something else. ``test_records``: how many PTR, MPR and
    FTR there are, in whatever order.
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
    test_records: int

    @property
    def has_part(self) -> bool:
        """Whether there is exactly one PRR with all numbers."""
        return self.hard_bin >= 0

    @property
    def passed(self) -> bool:
        """What PART_FLG says."""
        return self.part_flag & PART_FAILED == 0

    @property
    def failing(self) -> int | None:
        """Index of the first failing test."""
        return next((index for index, test in enumerate(self.tests) if test.failed), None)

    @property
    def outputs(self) -> int:
        """How many PTR and MPR it holds."""
        return sum(len(test.outputs) for test in self.tests)


def part_result(event: Event, site: str, content: Mapping[str, Any] | None) -> PartResult:
    """The result in ``content``; whatever is missing in it shows as ``fault`` and -1."""
    records = (content or {}).get("payload")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return PartResult(event, site, "it is no list of records", "", -1, -1, -1, -1, (), 0)
    parts = [record for record in records if record.get("type") == "PRR"]
    prr = parts[0] if len(parts) == 1 else {}
    numbers = [_whole(prr.get(name)) for name in ("SOFT_BIN", "HARD_BIN", "PART_FLG", "NUM_TEST")]
    if -1 in numbers[:3]:
        numbers = [-1] * 4
    tests, fault = _tests(records)
    soft, hard, flag, num_test = numbers
    wrong = fault or _strange(records, site)
    count = sum(record.get("type") in ("PTR", "MPR", "FTR") for record in records)
    return PartResult(event, site, wrong, str(prr.get("PART_ID")), soft, hard, flag, num_test, tests, count)


def _whole(value: object, *, least: int = 0, missing: int = -1) -> int:
    return value if isinstance(value, int) and value >= least else missing


def _number(value: object) -> float | None:
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


def _tests(records: Sequence[Mapping[str, Any]]) -> tuple[Sequence[RanTest], str]:
    """The tests, and what is wrong with the order: PIR, then outputs and FTR per test, then PRR."""
    tests: list[RanTest] = []
    outputs: list[Output] = []
    fault = "" if records and records[0].get("type") == "PIR" else "it does not begin with a PIR"
    for place, record in enumerate(records):
        kind = record.get("type")
        if kind in ("PTR", "MPR"):
            outputs.append(_output(record))
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
    if not records or records[-1].get("type") != "PRR":
        fault = fault or "it does not end with a PRR"
    numbers = [test.number for test in tests]
    if len(set(numbers)) != len(numbers):
        fault = fault or "it holds a test twice"
    return tests, fault


def _output(record: Mapping[str, Any]) -> Output:
    several = record.get("type") == "MPR"
    many = record.get("RTN_RSLT")
    values = (many if isinstance(many, list) else ()) if several else (record.get("RESULT"),)
    numbers = tuple(number for value in values if (number := _number(value)) is not None)
    low, high = _number(record.get("LO_LIMIT")), _number(record.get("HI_LIMIT"))
    lowest = -math.inf if low is None else low
    highest = math.inf if high is None else high
    return Output(
        str(record.get("TEST_TXT")),
        _whole(record.get("TEST_NUM")),
        _whole(record.get("TEST_FLG")),
        numbers,
        low,
        high,
        max(-128, min(127, _whole(record.get("RES_SCAL"), least=-128, missing=0))),
        all(lowest <= number <= highest for number in numbers),
    )
