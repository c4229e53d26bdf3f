"""Read a test program's definitions tree into one value that the modelled sequencer can execute.

Rules that hold here:
- Numbers (limits, test numbers, bins, scaling, units, input values) come from Semi-ATE's own JSON tree; what a do()
  body asks of the meter comes from ``measures.json``. Nothing is said twice, so the two rungs cannot disagree.
- Inside a test the order is always: peripheral call, pause, questions in the order of ``measures.json``.
- Pure but for reading files; anything missing is a DrycellError that names the file and the key.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DrycellError

REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "min": lambda values: min(values),
    "max": lambda values: max(values),
    "span": lambda values: max(values) - min(values),
}


@dataclass(frozen=True, slots=True)
class Output:
    """One output parameter of a test instance: a PTR, or an MPR if ``mpr``.

    Limits are in the unit the do() body writes (before scaling); a record carries ``value * 10**exp10``.
    ``ask`` is the question put to the meter, or None if the value is ``reduce``d of the output named ``of``.
    ``bin_result`` 2 means that ``bin`` is taken when the output fails, 1 when it passes.
    """

    name: str
    number: int
    lsl: float
    ltl: float
    utl: float
    usl: float
    exp10: int
    unit: str
    fmt: str
    mpr: bool
    bin: int
    bin_result: int
    ask: str | None
    of: str | None
    reduce: str | None
    decimals: int | None

    def question(self, site: str, inputs: Mapping[str, float]) -> str:
        """The line sent to the meter, without its newline."""
        return (self.ask or "").format(site=site, **inputs)

    def reduced(self, values: list[float]) -> float:
        """The single value computed of another output's list, exactly as the do() body does it."""
        value = REDUCTIONS[self.reduce or "min"](values)
        return value if self.decimals is None else round(value, self.decimals)


@dataclass(frozen=True, slots=True)
class Peripheral:
    """The actuator call of a test; parameter values that start with ``$`` name an input parameter."""

    periphery_type: str
    ioctl_name: str
    parameters: Mapping[str, Any]

    def filled(self, inputs: Mapping[str, float]) -> dict[str, Any]:
        """The parameters as the proxy of Semi-ATE sends them."""
        return {name: _fill(value, inputs) for name, value in self.parameters.items()}


@dataclass(frozen=True, slots=True)
class Input:
    """A static input parameter: its value and what ``setparameter`` may make of it."""

    value: float
    low: float
    high: float
    shmoo: bool


@dataclass(frozen=True, slots=True)
class Test:
    """One test instance in the order of the program."""

    instance: str
    number: int
    alarm_sbin: int
    inputs: Mapping[str, Input]
    outputs: tuple[Output, ...]
    peripheral: Peripheral | None
    settle_input: str | None


@dataclass(frozen=True, slots=True)
class ProgramModel:
    """A whole test program, as the modelled sequencer needs it.

    ``layouts`` maps a layout name to its site coordinates; ``stages`` maps it to, per test, the list of ping-pong
    stages, each a list of site ids: what ``getexecutionstrategy`` publishes. ``hbins`` maps hard bin to soft bins.
    """

    name: str
    tests: tuple[Test, ...]
    layouts: Mapping[str, tuple[tuple[int, int], ...]]
    stages: Mapping[str, list[list[list[str]]]]
    hbins: Mapping[str, list[str]]


def load_program_model(root: Path) -> ProgramModel:
    """Read ``root``/definitions, ``root``/measures.json and ``root``/binning.json."""
    program = _only(_rows(root, "program"), root / "definitions" / "program")
    measures = _json(root / "measures.json")
    tests = {str(row["name"]): row["definition"] for row in _rows(root, "test")}
    sequence = sorted(_rows(root, "sequence"), key=lambda row: int(row["test_order"]))
    try:
        instances = tuple(
            _test(row["definition"], tests[row["test"]], measures)
            for row in sequence
            if row["definition"]["is_selected"]
        )
        layouts, stages = _layouts(root, program)
    except KeyError as error:
        raise DrycellError(f"the program in {root} lacks {error} in definitions/ or measures.json.") from None
    return ProgramModel(str(program["prog_name"]), instances, layouts, stages, load_bin_table(root / "binning.json"))


def load_bin_table(path: Path) -> dict[str, list[str]]:
    """{hard bin: [soft bin, ...]} of a Semi-ATE binning file, all strings: what the master sends with loadTest."""
    table: dict[str, list[str]] = {}
    for row in _json(path).get("bin-table", []):
        table.setdefault(str(row["HBIN"]), []).append(str(row["SBIN"]))
    if not table:
        raise DrycellError(f"{path} has no rows under bin-table.")
    return table


def _test(row: Mapping[str, Any], definition: Mapping[str, Any], measures: Mapping[str, Any]) -> Test:
    instance = str(row["description"])
    plan = measures["tests"][instance]
    listed = [key.partition(".")[2] for key in measures["outputs"] if key.partition(".")[0] == instance]
    outputs = row["output_parameters"]
    if sorted(listed) != sorted(outputs):
        raise DrycellError(
            f"measures.json lists the outputs {listed} for {instance}, the program has {list(outputs)}."
        )
    call = plan.get("peripheral")
    return Test(
        instance,
        int(row["test_num"]),
        int(row["sbin"]),
        {name: _input(p) for name, p in row["input_parameters"].items()},
        tuple(
            _output(name, p, definition["output_parameters"][name], measures["outputs"][f"{instance}.{name}"])
            for name, p in outputs.items()
        ),
        Peripheral(call["periphery_type"], call["ioctl_name"], call["parameters"]) if call else None,
        plan.get("settle_input"),
    )


def _input(row: Mapping[str, Any]) -> Input:
    return Input(float(row["value"]), float(row["min"]), float(row["max"]), bool(row["shmoo"]))


def _output(name: str, row: Mapping[str, Any], definition: Mapping[str, Any], how: Mapping[str, Any]) -> Output:
    of = how.get("of")
    return Output(
        name=name,
        number=int(row["test_num"]),
        lsl=float(definition["lsl"]),
        ltl=float(row["ltl"]),
        utl=float(row["utl"]),
        usl=float(definition["usl"]),
        exp10=int(definition["exp10"]),
        unit=str(definition["unit"]),
        fmt=str(definition["fmt"]),
        mpr=bool(definition["mpr"]),
        bin=int(row["Binning"]["bin"]),
        bin_result=int(row["Binning"]["result"]),
        ask=how.get("ask"),
        of=of.partition(".")[2] if of else None,
        reduce=how.get("reduce"),
        decimals=how.get("decimals"),
    )


def _layouts(
    root: Path, program: Mapping[str, Any]
) -> tuple[dict[str, tuple[tuple[int, int], ...]], dict[str, list[list[list[str]]]]]:
    hardware = next(row for row in _rows(root, "hardware") if row["name"] == program["hardware"])
    layouts, stages = {}, {}
    for layout in hardware["definition"]["Parallelism"][program["base"]]:
        name = str(layout["name"])
        configs = {config["id"]: config["stages"] for config in layout["configs"]}
        layouts[name] = tuple((int(x), int(y)) for x, y in layout["sites"])
        stages[name] = [configs[id_] for id_ in program["execution_sequence"][name]]
    return layouts, stages


def _fill(value: Any, inputs: Mapping[str, float]) -> Any:
    if isinstance(value, list):
        return [_fill(item, inputs) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return inputs[value[1:]]
    return value


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DrycellError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise DrycellError(f"{path} is not JSON: {error}.") from None


def _rows(root: Path, kind: str) -> list[dict[str, Any]]:
    files = sorted((root / "definitions" / kind).glob("*.json"))
    return [row for file in files for row in _json(file)]


def _only(rows: list[dict[str, Any]], where: Path) -> dict[str, Any]:
    if len(rows) != 1:
        raise DrycellError(f"{where} defines {len(rows)} programs; it must be one.")
    return rows[0]
