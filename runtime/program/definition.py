"""What a test program is: tests with inputs, limits and bins, and the moments it hooks into. Pure values.

Rules
- The order of tests is the order of their definition; numbers follow from it unless they are given.
- Whatever an author can get wrong is refused here, when the file is loaded, and never while a device is in contact.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from drycell.runtime.program.errors import ProgramError

GOOD_BIN = 1
ERROR_BIN = 0
"""Soft and hard bin of a device whose test ended with an exception; named "Error" unless the program names it."""
NUMBER_STEP = 100
HOOKS = ("setup", "cycle_teardown", "program_teardown")
"""The moments of a program's life that functions of the same name may be called at, by ``@program.on``."""
_LARGEST_BIN = 32_767

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Limit:
    """One output of a test: what is good, in which unit, and the soft bin of a device outside.

    ``low`` and ``high`` are inclusive; None means no limit on that side. ``name`` tells the outputs of one test
    apart. ``bin`` None: the bin of the test. ``spec``: the specification limits, where they are to
    be recorded. ``exp10``: results are written times ten to this power (values in V, ``exp10=3``, ``unit="mV"``).
    ``decimals``: how many a reader of the STDF file shows. ``many``: a list of values, which is written as one MPR.
    """

    low: float | None = None
    high: float | None = None
    unit: str = ""
    name: str = field(default="", kw_only=True)
    bin: int | None = field(default=None, kw_only=True)
    spec: tuple[float | None, float | None] | None = field(default=None, kw_only=True)
    exp10: int = field(default=0, kw_only=True)
    decimals: int = field(default=3, kw_only=True)
    many: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Output:
    """A limit in its place: its number and full name in the STDF records (a ``records.Parametric``)."""

    name: str
    test_num: int
    limit: Limit
    bin: int

    @property
    def limits(self) -> tuple[float, float]:
        return _both(self.limit.low, self.limit.high)

    @property
    def specs(self) -> tuple[float, float]:
        return _both(*(self.limit.spec or (None, None)))

    @property
    def exp10(self) -> int:
        return self.limit.exp10

    @property
    def unit(self) -> str:
        return self.limit.unit

    @property
    def fmt(self) -> str:
        return f".{self.limit.decimals}f"

    def passes(self, value: float) -> bool:
        """Whether ``value`` lies within the limits; NaN does not."""
        low, high = self.limits
        return low <= value <= high


def _both(low: float | None, high: float | None) -> tuple[float, float]:
    return (float("-inf") if low is None else low, float("inf") if high is None else high)


@dataclass(frozen=True, slots=True)
class Test:
    """One test. ``inputs``: parameter -> default; ``ranges``: parameter -> what the master may set it to."""

    __test__ = False  # not a test class of pytest

    name: str
    number: int
    function: Callable[..., Any]
    inputs: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    outputs: tuple[Output, ...]
    bin: int


class Program:
    """A test program. ``bins``: hard bin -> {soft bin: its name}; soft bin 1 is the good one.

    Tests are added by :meth:`test`, hooks by :meth:`on`; :meth:`main` runs the program as its command line says.
    Raises ProgramError for bins that cannot be.
    """

    def __init__(self, *, bins: Mapping[int, Mapping[int, str]]) -> None:
        self.tests: list[Test] = []
        self.hooks: dict[str, Callable[..., Any]] = {}
        table = {int(hard): dict(softs) for hard, softs in bins.items()}
        numbers = [soft for softs in table.values() for soft in softs]
        if ERROR_BIN not in numbers:
            table.setdefault(ERROR_BIN, {})[ERROR_BIN] = "Error"
        self.bins: Mapping[int, Mapping[int, str]] = MappingProxyType(table)
        for number in (*table, *numbers):
            if not 0 <= number <= _LARGEST_BIN:
                raise ProgramError(f"bin {number} cannot be; STDF has bins 0 to {_LARGEST_BIN}")
        if len(set(numbers)) != len(numbers):
            twice = sorted({soft for soft in numbers if numbers.count(soft) > 1})
            raise ProgramError(f"soft bins {twice} belong to two hard bins; name each soft bin once")
        if GOOD_BIN not in numbers:
            raise ProgramError(f"bins names no soft bin {GOOD_BIN}, where good devices go; add {{1: {{1: 'Good'}}}}")

    @property
    def bin_table(self) -> dict[int, tuple[int, ...]]:
        """Hard bin -> its soft bins."""
        return {hard: tuple(softs) for hard, softs in self.bins.items()}

    @property
    def bin_names(self) -> dict[int, str]:
        """Soft bin -> its name."""
        return {soft: name for softs in self.bins.values() for soft, name in softs.items()}

    def test(
        self,
        *limits: Limit,
        bin: int,
        number: int | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> Callable[[Function], Function]:
        """Add the decorated function as the next test: ``function(ctx, **inputs)``.

        It returns the values of ``limits`` in their order: a number for one, a tuple for several, a list where a
        limit says ``many``. Without limits it may return False for a failed device. An exception fails the device
        into bin 0. ``bin``: the soft bin of devices that fail. Every parameter after ``ctx`` is an input parameter
        with a default; ``ranges`` says which of them the master may set, and to what.
        Raises ProgramError for anything that cannot be.
        """

        def add(function: Function) -> Function:
            name = function.__name__
            first = number if number is not None else NUMBER_STEP * (len(self.tests) + 1)
            outputs = tuple(
                Output(f"{name}.{limit.name}" if limit.name else name, first + 1 + place, limit, limit.bin or bin)
                for place, limit in enumerate(limits)
            )
            test = Test(name, first, function, _inputs(name, function), dict(ranges or {}), outputs, bin)
            self._check(test)
            self.tests.append(test)
            return function

        return add

    def on(self, function: Function) -> Function:
        """Call the decorated function at the moment that its name says.

        ``setup(ctx)``: before the first device. ``cycle_teardown(ctx, has_error)``: after each device; ``has_error``
        says whether a test ended with an exception. ``program_teardown(ctx)``: right before the program ends.
        """
        name = function.__name__
        if name not in HOOKS:
            raise ProgramError(f"{name!r} is no moment of a program; @program.on takes {', '.join(HOOKS)}")
        if name in self.hooks:
            raise ProgramError(f"{name} is defined twice")
        self.hooks[name] = function
        return function

    def main(self) -> None:
        """Run as the command line says, and end the process with the exit code. See docs/program.md."""
        from drycell.runtime.program.launch import main  # the bench's MQTT client is not needed to define a program

        main(self)

    def _check(self, test: Test) -> None:
        names = [output.name for output in test.outputs]
        strangers = sorted(set(test.ranges) - set(test.inputs))
        taken = {number for other in self.tests for number in _numbers(other)}
        for output in test.outputs:
            low, high = output.limits
            if not low <= high:
                raise ProgramError(f"test {output.name}: the limits {low:g} to {high:g} let nothing pass")
        for wrong, text in (
            (len(set(names)) < len(names), "its limits need a name each, Limit(..., name=...)"),
            (any(other.name == test.name for other in self.tests), "there are two tests of this name"),
            (taken & set(_numbers(test)), f"its numbers {_numbers(test)} are partly taken; give another number="),
            (strangers, f"ranges names {strangers}, which are no inputs"),
        ):
            if wrong:
                raise ProgramError(f"test {test.name}: {text}")
        for soft in (test.bin, *(output.bin for output in test.outputs)):
            if soft not in self.bin_names:
                known = ", ".join(map(str, sorted(self.bin_names)))
                raise ProgramError(f"test {test.name}: bins has no soft bin {soft}; it has {known}")


def _numbers(test: Test) -> list[int]:
    return [test.number, *(output.test_num for output in test.outputs)]


def _inputs(name: str, function: Callable[..., Any]) -> dict[str, float]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    for parameter in parameters:
        if isinstance(parameter.default, bool) or not isinstance(parameter.default, int | float):
            raise ProgramError(f"test {name}: input parameter {parameter.name} needs a number as default")
    return {parameter.name: parameter.default for parameter in parameters}
