"""How measured values become STDF records and a soft bin, by the rules of dialect ``semi-ate``. Pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from drycell.runtime.forms import Form
from drycell.runtime.protocol import records
from drycell.runtime.protocol.bins import select_bin
from drycell.sim.cell.program_model import Output, ProgramModel, Test

Json = dict[str, Any]
Values = Mapping[str, tuple[float, ...]]

INVALID_RESULT = 2
"""Bit 1 of a PTR's TEST_FLG: the RESULT field is not valid (STDF V4, record PTR)."""

_FORMS = 1024
_NO_PART: Json = {"passed": True, "num_test": 0, "hard_bin": 0, "soft_bin": 0, "test_t_ms": 0, "part_id": ""}
_OF_A_PART = ("PART_FLG", "NUM_TEST", "HARD_BIN", "SOFT_BIN", "TEST_T", "PART_ID")
_NEVER_RUN: Json = {"values": (), "executed": 0, "failed": 0, "mean_s": -1.0}
_OF_A_LOT = ("EXEC_CNT", "FAIL_CNT", "OPT_FLAG", "TEST_TIM", "TEST_MIN", "TEST_MAX", "TST_SUMS", "TST_SQRS")


@dataclass(slots=True)
class Statistics:
    """What one output has seen since the program started."""

    values: list[float] = field(default_factory=list)
    executed: int = 0
    failed: int = 0
    last: float = math.inf
    """The last single value measured; infinite before the first."""


@dataclass(frozen=True, slots=True)
class TestVerdict:
    """One test on one device: its records without FTR, the FTR's TEST_FLG, and the soft bin it asks for."""

    records: list[Json]
    test_flag: int
    bin: int

    @property
    def failed(self) -> bool:
        """Whether the test failed or did not come to a result."""
        return self.test_flag != 0


class Bookkeeper:
    """Turns values into records for one site, and keeps the statistics of the lot."""

    def __init__(self, program: ProgramModel, site: int, quirks: Collection[str] = ()) -> None:
        self._site = site
        self._quirks = quirks
        outputs = [output for test in program.tests for output in test.outputs]
        self._forms = {output.name: _form(site, output) for output in outputs}
        self._prr_form = _prr_form(site)
        self._program = program
        self.pir: Json = _pir(site)
        self.statistics = {output.name: Statistics() for output in outputs}

    def judge(self, test: Test, values: Values | None) -> TestVerdict:
        """The verdict of ``test`` on ``values`` (output name -> values), None when an exception ended it."""
        if values is None:
            return TestVerdict(
                [self._unmeasured(output) for output in test.outputs], records.NO_RESULT_TEST, test.alarm_bin
            )
        failed, bin_ = False, -1
        found = []
        for output in test.outputs:
            passed, wish = self._judge_output(output, values[output.name])
            failed |= not passed
            bin_ = select_bin(bin_, wish)
            found.append(self._measured(output, values[output.name], passed))
        return TestVerdict(found, records.FAILED_TEST if failed else 0, bin_)

    def ftr(self, test: Test, test_flag: int) -> Json:
        """The verdict of one test on one device."""
        return _ftr(self._site, test.test_num, test_flag)

    def prr(self, **result: Any) -> Json:
        """The result of one device; arguments as those of :func:`~drycell.runtime.protocol.records.prr`."""
        return self._prr_form.filled(records.prr(self._site, **result))

    def _judge_output(self, output: Output, values: tuple[float, ...]) -> tuple[bool, int]:
        seen = self.statistics[output.name]
        seen.executed += 1
        seen.values += values
        seen.last = values[-1]
        judged = seen.values if output.mpr and "sequencer-mpr-remembers-failures" in self._quirks else values
        passed = output.passes(judged)
        seen.failed += not passed
        return passed, output.bin if passed == output.bin_passes else -1

    def _measured(self, output: Output, values: tuple[float, ...], passed: bool) -> Json:
        scale = 10**output.exp10
        scaled = [value * scale for value in values]
        if output.mpr:
            own = {"RSLT_CNT": len(scaled), "RTN_RSLT": scaled}
        else:
            own = {"RESULT": scaled[0]}
            if "sequencer-compares-unscaled" in self._quirks:
                low, high = output.limits
                passed = low * scale <= values[0] <= high * scale
        return self._forms[output.name].filled({"TEST_FLG": 0 if passed else records.FAILED_TEST, **own})

    def _unmeasured(self, output: Output) -> Json:
        form = self._forms[output.name]
        if output.mpr:
            return form.filled({"TEST_FLG": records.FAILED_TEST, "RSLT_CNT": 0, "RTN_RSLT": []})
        if "sequencer-repeats-stale-value" in self._quirks:
            return self._measured(output, (self.statistics[output.name].last,), True)
        return form.filled({"TEST_FLG": records.FAILED_TEST | INVALID_RESULT, "RESULT": 0.0})

    def summary(self, mean_s: Mapping[str, float]) -> list[Json]:
        """One TSR per output; ``mean_s``: test instance -> mean execution time per output, -1 when never run."""
        return [
            self._summary(test, output, mean_s[test.instance])
            for test in self._program.tests
            for output in test.outputs
        ]

    def _summary(self, test: Test, output: Output, mean_s: float) -> Json:
        seen, about = self.statistics[output.name], (self._site, output.test_num, test.instance, output.name)
        told = records.tsr(*about, values=seen.values, executed=seen.executed, failed=seen.failed, mean_s=mean_s)
        return _tsr_form(*about).filled(told)


# Forms, and records without an open field, are made once for all runs of a program; bounded, so that those of
# programs flown no more do not pile up.


@lru_cache(maxsize=_FORMS)
def _form(site: int, output: Output) -> Form:
    if output.mpr:
        return Form(records.mpr(site, output), "TEST_FLG", "RSLT_CNT", "RTN_RSLT")
    return Form(records.ptr(site, output), "TEST_FLG", "RESULT")


@lru_cache(maxsize=_FORMS)
def _ftr(site: int, test_num: int, test_flag: int) -> Json:
    return Form(records.ftr(test_num, site, test_flag)).filled({})


@lru_cache(maxsize=_FORMS)
def _prr_form(site: int) -> Form:
    return Form(records.prr(site, **_NO_PART), *_OF_A_PART)


@lru_cache(maxsize=_FORMS)
def _tsr_form(site: int, test_num: int, instance: str, label: str) -> Form:
    return Form(records.tsr(site, test_num, instance, label, **_NEVER_RUN), *_OF_A_LOT)


@lru_cache(maxsize=_FORMS)
def _pir(site: int) -> Json:
    return Form(records.pir(site)).filled({})
