"""What a test program measures, against which limits and into which bins: the modelled sequencer's program.

Read from the same two sources as the real program: the Semi-ATE definitions tree (tests, limits, numbers, bins) and
``measures.json`` (which question to the meter stands behind each output). Pure: text in, values out.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from drycell.sim.errors import DrycellError

REDUCTIONS: Mapping[str, Any] = {"min": min, "max": max, "span": lambda values: max(values) - min(values)}
"""How an output may be made from the values of another one."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input parameter; ``shmoo`` says whether ``setparameter`` may change it within ``low``..``high``."""

    value: float
    low: float
    high: float
    shmoo: bool


@dataclass(frozen=True, slots=True)
class Output:
    """One output parameter. ``limits`` are the test limits where given, else the spec limits, else infinite."""

    name: str
    test_num: int
    limits: tuple[float, float]
    specs: tuple[float, float]
    exp10: int
    unit: str
    fmt: str
    mpr: bool
    bin: int
    bin_passes: bool
    ask: str | None
    of: str | None
    reduce: str
    decimals: int
    instrument: str | None
    """Which instrument is asked; None: the cell's first."""
    scale: float
    """What an answer is multiplied by, then rounded to ``decimals``; 1 leaves it as it is."""

    def question(self, site: str, inputs: Mapping[str, float]) -> str:
        """The line sent to the meter, without its newline."""
        return _message(self.ask or "", site, inputs)

    def reduced(self, values: Sequence[float]) -> float:
        """This output's value, made from the ``values`` of the output it is ``of``."""
        return float(round(REDUCTIONS[self.reduce](values), self.decimals))

    def read(self, answer: str) -> tuple[float, ...]:
        """The values in an instrument's answer. ValueError when it is not made of numbers."""
        numbers = tuple(map(float, answer.split(",")))
        if self.scale == 1.0:
            return numbers
        return tuple(round(number * self.scale, self.decimals) for number in numbers)

    def passes(self, values: Sequence[float]) -> bool:
        """Whether every value lies within the limits."""
        low, high = self.limits
        return all(low <= value <= high for value in values)


@dataclass(frozen=True, slots=True)
class Peripheral:
    """An io-control call that a test makes before it measures. Parameter values ``$name`` are input parameters."""

    kind: str
    ioctl: str
    parameters: Mapping[str, Any]

    def filled(self, inputs: Mapping[str, float]) -> dict[str, Any]:
        """The parameters with the present input values put in."""
        return {key: _fill(value, inputs) for key, value in self.parameters.items()}


@dataclass(frozen=True, slots=True)
class Send:
    """A message to an instrument that answers nothing."""

    instrument: str
    text: str

    def message(self, site: str, inputs: Mapping[str, float]) -> str:
        """The line sent, without its newline."""
        return _message(self.text, site, inputs)


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the program, in the order of the sequence. ``before`` is sent before the pause, ``after`` last."""

    instance: str
    test_num: int
    alarm_bin: int
    inputs: Mapping[str, Input]
    outputs: tuple[Output, ...]
    settle_input: str | None
    peripheral: Peripheral | None
    before: tuple[Send, ...]
    after: tuple[Send, ...]


@dataclass(frozen=True, slots=True)
class ProgramModel:
    """A whole program. ``bin_table``: hard bin -> its soft bins; ``strategies``: site layout -> stages per test."""

    name: str
    tests: tuple[Test, ...]
    bin_table: Mapping[int, tuple[int, ...]]
    bin_names: Mapping[int, str]
    strategies: Mapping[tuple[tuple[int, int], ...], Any]

    def hard_bin(self, soft_bin: int) -> int | None:
        """The hard bin that ``soft_bin`` belongs to, None when the table has none."""
        return next((hard for hard, softs in self.bin_table.items() if soft_bin in softs), None)


def _message(text: str, site: str, inputs: Mapping[str, float]) -> str:
    """``text`` with the site, its channel on a bench and the inputs put in."""
    return text.format(site=site, channel=int(site) + 1, **inputs)


def _sends(entries: Sequence[Mapping[str, str]]) -> tuple[Send, ...]:
    return tuple(Send(entry["instrument"], entry["send"]) for entry in entries)


def _fill(value: Any, inputs: Mapping[str, float]) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return inputs[value[1:]]
    if isinstance(value, list):
        return [_fill(item, inputs) for item in value]
    return value


def load_program_model(root: Path) -> ProgramModel:
    """The program in ``root``: ``definitions/``, ``measures.json`` and ``binning.json``.

    Raises DrycellError naming the file and key that is missing or wrong.
    """
    return _program_model(
        str(root),
        sequence=_only_source(f"{root}/definitions/sequence"),
        program=_only_source(f"{root}/definitions/program"),
        hardware=_only_source(f"{root}/definitions/hardware"),
        tests=tuple([_source(path) for path in _json_files(f"{root}/definitions/test")]),
        measures=_source(f"{root}/measures.json"),
        binning=_source(f"{root}/binning.json"),
    )


class _Source(NamedTuple):
    """A file and its text. Paths are plain text here: every run reads these files, and ``Path`` takes its time."""

    path: str
    text: bytes


def _source(path: str) -> _Source:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return _Source(path, file.read())
    except FileNotFoundError:
        raise DrycellError(f"{path} is missing; a program's definitions need it") from None
    except OSError as error:
        raise DrycellError(f"{path} is not readable JSON: {error}") from None


def _json_files(folder: str) -> list[str]:
    """The JSON files in ``folder``, by name; none when it is missing."""
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except OSError:
        return []


def _only_source(folder: str) -> _Source:
    """The one JSON file in ``folder``."""
    files = _json_files(folder)
    if len(files) != 1:
        raise DrycellError(f"{folder} holds {len(files)} JSON files; exactly one program is expected there")
    return _source(files[0])


@lru_cache(maxsize=32)
def _program_model(
    root: str,
    *,
    sequence: _Source,
    program: _Source,
    hardware: _Source,
    tests: tuple[_Source, ...],
    measures: _Source,
    binning: _Source,
) -> ProgramModel:
    """The model that these texts make; every run asks again, with the texts of that moment."""
    details = {entry["name"]: entry for source in tests for entry in _parsed(source)}
    meter, bins, chosen = _parsed(measures), _parsed(binning)["bin-table"], _parsed(program)[0]
    try:
        ordered = sorted(_parsed(sequence), key=lambda entry: int(entry["test_order"]))
        table: dict[int, tuple[int, ...]] = {}
        for row in bins:
            table[int(row["HBIN"])] = (*table.get(int(row["HBIN"]), ()), int(row["SBIN"]))
        return ProgramModel(
            name=chosen["prog_name"],
            tests=tuple(_test(entry["definition"], details[entry["test"]]["definition"], meter) for entry in ordered),
            bin_table=table,
            bin_names={int(row["SBIN"]): row["SBINNAME"] for row in bins},
            strategies=_strategies(_parsed(hardware)[0], chosen),
        )
    except KeyError as error:
        raise DrycellError(f"{root}: {error.args[0]!r} is missing in definitions/ or measures.json") from None


def _parsed(source: _Source) -> Any:
    try:
        return json.loads(source.text.decode("utf-8"))
    except ValueError as error:
        raise DrycellError(f"{source.path} is not readable JSON: {error}") from None


def _test(entry: dict[str, Any], detail: dict[str, Any], meter: dict[str, Any]) -> Test:
    instance = entry["description"]
    measured = meter["tests"].get(instance, {})
    call = measured.get("peripheral")
    return Test(
        instance=instance,
        test_num=int(entry["test_num"]),
        alarm_bin=int(entry["sbin"]),
        inputs={
            name: Input(float(spec["value"]), float(spec["min"]), float(spec["max"]), bool(spec["shmoo"]))
            for name, spec in entry["input_parameters"].items()
        },
        outputs=tuple(
            _output(f"{instance}.{name}", spec, bool(detail["output_parameters"][name]["mpr"]), meter["outputs"])
            for name, spec in entry["output_parameters"].items()
        ),
        settle_input=measured.get("settle_input"),
        peripheral=Peripheral(call["periphery_type"], call["ioctl_name"], call["parameters"]) if call else None,
        before=_sends(measured.get("before", ())),
        after=_sends(measured.get("after", ())),
    )


def _output(name: str, spec: dict[str, Any], mpr: bool, asked: dict[str, Any]) -> Output:
    source = asked[name]
    return Output(
        name=name,
        test_num=int(spec["test_num"]),
        limits=(_limit(-math.inf, spec["ltl"], spec["lsl"]), _limit(math.inf, spec["utl"], spec["usl"])),
        specs=(float(spec["lsl"]), float(spec["usl"])),
        exp10=int(spec["exp10"]),
        unit=spec["unit"],
        fmt=spec["fmt"],
        mpr=mpr,
        bin=int(spec["Binning"]["bin"]),
        bin_passes=int(spec["Binning"]["result"]) == 1,
        ask=source.get("ask"),
        of=source.get("of"),
        reduce=source.get("reduce", "min"),
        decimals=int(source.get("decimals", 9)),
        instrument=source.get("instrument"),
        scale=float(source.get("scale", 1.0)),
    )


def _limit(default: float, *candidates: float) -> float:
    """The first finite candidate: test limit before spec limit."""
    return next((float(value) for value in candidates if math.isfinite(value)), default)


def _strategies(hardware: dict[str, Any], program: dict[str, Any]) -> dict[tuple[tuple[int, int], ...], Any]:
    chosen = program["execution_sequence"]
    found = {}
    for config in hardware["definition"]["Parallelism"][program["base"]]:
        stages = {entry["id"]: entry["stages"] for entry in config["configs"]}
        layout = tuple((int(x), int(y)) for x, y in config["sites"])
        found[layout] = [stages[number] for number in chosen.get(config["name"], ())]
    return found
