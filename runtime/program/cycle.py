"""One device from PIR to PRR: run the tests, judge their values, make the STDF records.

Rules
- An exception in a test fails that test and no other; the next test runs all the same, unless Stop On Fail is on.
- The first failing test decides the bin; an exception puts the device into the error bin.
- A value that is no finite number is recorded as invalid and failed: STDF defines neither NaN nor infinity.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drycell.runtime.program.context import Context
from drycell.runtime.program.definition import ERROR_BIN, GOOD_BIN, Output, Test
from drycell.runtime.program.errors import ProgramError
from drycell.runtime.protocol import records
from drycell.runtime.protocol.bins import select_bin

Json = dict[str, Any]
Send = Callable[[list[Json]], None]
Trigger = Callable[[str, int], None]

INVALID = records.FAILED_TEST | 2
"""TEST_FLG of a result that is none: failed, and bit 1, the RESULT field is not valid (STDF V4, record PTR)."""
_NO_LIMIT_BITS = {"LO_SPEC": 2, "HI_SPEC": 3, "LO_LIMIT": 6, "HI_LIMIT": 7}
"""Field -> the bit of OPT_FLAG that says it is absent (STDF V4, record PTR)."""


@dataclass(slots=True)
class Statistics:
    """What one output has measured since the program started; ``seconds``: of the whole test it belongs to."""

    values: list[float] = field(default_factory=list)
    executed: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test on one device. ``flag``: TEST_FLG of its FTR."""

    records: list[Json]
    flag: int
    bin: int

    @property
    def failed(self) -> bool:
        return self.flag != 0


class Tester:
    """Tests the devices of one site, one after another.

    ``inputs``: test -> parameter -> value, ``hard_bins``: soft bin -> hard bin; both may change between devices.
    ``trigger_lead``: see :class:`~drycell.runtime.protocol.dialect.Dialect`.
    """

    def __init__(self, tests: Sequence[Test], site: int, hard_bins: Mapping[int, int], trigger_lead: int) -> None:
        self.inputs = {test.name: dict(test.inputs) for test in tests}
        self.hard_bins = dict(hard_bins)
        self._site = site
        self._trigger_lead = trigger_lead
        self._tests = tests
        self._statistics = {output.name: Statistics() for test in tests for output in test.outputs}

    def check(self, context: Context) -> None:
        """Raises ProgramError when the options of ``context`` name a test that is not there."""
        unknown = set(context.options.test_sequence) - {test.name for test in self._tests}
        if unknown:
            raise ProgramError(f"test_sequence names unknown tests {sorted(unknown)}")

    def run(self, context: Context, send: Send, trigger: Trigger) -> bool:
        """Test the device in contact; ``send`` gets its records piece by piece. Returns whether a test raised.

        ``trigger(cause, index)``: the trigger output pulses because of the test of this index.
        """
        options, begin_s = context.options, context.now()
        tests = [test for test in self._tests if not options.test_sequence or test.name in options.test_sequence]
        waiting, soft_bin, failed, raised, measured = [records.pir(self._site)], GOOD_BIN, False, False, 0
        for index, test in enumerate(tests):
            if not self._trigger_lead and options.trigger_before_test == index:
                trigger("test", index)
            verdict = self._run_test(test, context)
            send([*waiting, *verdict.records, records.ftr(test.number, self._site, verdict.flag)])
            waiting = []
            failed |= verdict.failed
            raised |= verdict.flag == records.NO_RESULT_TEST
            measured += len(test.outputs)
            soft_bin = select_bin(soft_bin, verdict.bin)
            if verdict.failed and options.trigger_on_fail:
                trigger("fail", index)
            if self._trigger_lead and options.trigger_before_test == index + self._trigger_lead:
                trigger("test", index)
            if verdict.failed and options.stop_on_fail:
                break
        result = records.prr(
            self._site,
            passed=not failed,
            num_test=measured,
            hard_bin=self.hard_bins[soft_bin],
            soft_bin=soft_bin,
            test_t_ms=round((context.now() - begin_s) * 1000),
            part_id=context.part_id,
        )
        send([*waiting, result])
        return raised

    def summary(self) -> list[Json]:
        """One TSR per output, over all devices so far."""
        return [
            records.tsr(
                self._site,
                output.test_num,
                test.name,
                output.name,
                values=seen.values,
                executed=seen.executed,
                failed=seen.failed,
                mean_s=seen.seconds / seen.executed if seen.executed else -1.0,
            )
            for test in self._tests
            for output in test.outputs
            for seen in [self._statistics[output.name]]
        ]

    def _run_test(self, test: Test, context: Context) -> Verdict:
        context.take_bin()
        begin_s = context.now()
        try:
            returned = test.function(context, **self.inputs[test.name])
            values = _values(test, returned)
            wished = context.take_bin()
            if wished is not None and wished not in self.hard_bins:
                raise ProgramError(f"test {test.name} asked for soft bin {wished}, which has no hard bin")
        except (Exception, SystemExit) as error:
            context.logger.warning("test %s%s: %s: %s", test.name, _line(test, error), type(error).__name__, error)
            flat = [self._result(output, None) for output in test.outputs]
            return Verdict(flat, records.NO_RESULT_TEST, ERROR_BIN)
        seconds = context.now() - begin_s
        failed = returned is False
        bin_ = select_bin(-1 if wished is None else wished, test.bin if failed else -1)
        found = []
        for output, measured in zip(test.outputs, values, strict=True):
            passed = all(map(output.passes, measured))
            failed |= not passed
            bin_ = bin_ if passed else select_bin(bin_, output.bin)
            seen = self._statistics[output.name]
            seen.values += [value for value in measured if math.isfinite(value)]
            seen.executed += 1
            seen.failed += not passed
            seen.seconds += seconds
            found.append(self._result(output, measured))
        return Verdict(found, records.FAILED_TEST if failed else 0, bin_)

    def _result(self, output: Output, values: Sequence[float] | None) -> Json:
        """The PTR or MPR of ``values``; None when an exception left nothing to record."""
        many = output.limit.many
        result = _without_missing_limits((records.mpr if many else records.ptr)(self._site, output))
        if values is None or not all(map(math.isfinite, values)):
            nothing: Json = {"RTN_RSLT": []} if many else {"RESULT": 0.0}
            return result | {"TEST_FLG": INVALID} | nothing
        scaled = [value * 10**output.exp10 for value in values]
        flag = 0 if all(map(output.passes, values)) else records.FAILED_TEST
        own: Json = {"RSLT_CNT": len(scaled), "RTN_RSLT": scaled} if many else {"RESULT": scaled[0]}
        return result | {"TEST_FLG": flag} | own


def _line(test: Test, error: BaseException) -> str:
    """Where in the author's file the test ended, when it was there."""
    own = getattr(getattr(inspect.unwrap(test.function), "__code__", None), "co_filename", "")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f", line {lines[-1]}" if lines else ""


def _without_missing_limits(template: Json) -> Json:
    absent = [name for name in _NO_LIMIT_BITS if not math.isfinite(template[name])]
    flags = template["OPT_FLAG"] | sum(1 << _NO_LIMIT_BITS[name] for name in absent)
    return template | dict.fromkeys(absent) | {"OPT_FLAG": flags}


def _values(test: Test, returned: Any) -> list[list[float]]:
    """What the test returned, one list per output. Raises ProgramError when it does not fit its limits."""
    count = len(test.outputs)
    if count == 0:
        if returned is not None and not isinstance(returned, bool):
            raise ProgramError(f"returned {returned!r}, but has no limits; return True, False or nothing")
        return []
    given = returned if count > 1 else (returned,)
    if not isinstance(given, tuple | list) or len(given) != count:
        raise ProgramError(f"returned {returned!r}, but has {count} limits; return as many values")
    return [_numbers(output, value) for output, value in zip(test.outputs, given, strict=True)]


def _numbers(output: Output, value: Any) -> list[float]:
    wanted = "a list of numbers" if output.limit.many else "a number"
    try:
        if isinstance(value, bool | str) or output.limit.many == hasattr(value, "__float__"):
            raise TypeError
        return [float(one) for one in (value if output.limit.many else (value,))]
    except (TypeError, ValueError):
        raise ProgramError(f"{output.name} is {value!r}, not {wanted}") from None
