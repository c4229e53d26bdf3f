"""One run from scenario to result: prepare the program, run the cell, judge the journal, write the verdict."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import drycell
from drycell.sim import garbage, oracles
from drycell.sim.cell.cell import Cell, RealProgram
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.possible import refuse_debugging, refuse_impossible
from drycell.sim.cell.preflight import examine, private_copy
from drycell.sim.cell.program_model import ProgramModel, load_program_model
from drycell.sim.cell.programs import RUN
from drycell.sim.cell.result import RunResult, overall
from drycell.sim.cell.sdk_files import SdkFile, sdk_file
from drycell.sim.cell.semi_ate import prepare
from drycell.sim.cell.tally import tally
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Event, Kernel, StuckError
from drycell.sim.lockstep import DebugWish
from drycell.sim.scenario import Scenario, identity
from drycell.sim.suggest import did_you_mean

JOURNAL = "journal.jsonl"
Observer = Callable[[Event], None]


@garbage.looked_for_rarely()
def run(
    scenario: Scenario,
    run_dir: Path,
    *,
    observer: Observer | None = None,
    say: Callable[[str], None] = lambda _: None,
    debug: DebugWish | None = None,
    warm: WarmPrograms | None = None,
) -> RunResult:
    """Run ``scenario`` in ``run_dir`` (made when missing) and judge it.

    ``observer`` sees every event as it happens; ``say`` gets a line before something slow; ``debug`` lets a debugger
    into one program; ``warm`` starts programs faster that it has met before, over many runs, one at a time. Raises
    DrycellError when the run cannot be started; whatever was learnt until then stays in ``run_dir``.
    """
    oracles.check_names(scenario.expect)
    refuse_impossible(scenario)
    if debug is not None:
        refuse_debugging(scenario, debug)
    pace = scenario.effective_pace
    run_dir.mkdir(parents=True, exist_ok=True)
    sdk = sdk_file(scenario)
    model = _model(scenario)
    _check_tests(scenario.program.tests, model, sdk)
    real = _real(scenario, run_dir, say, sdk, debug, warm) if scenario.rung == "process" else None
    job = _job(scenario, model, real, run_dir, sdk)
    kernel = Kernel(pace=pace, journal_path=run_dir / JOURNAL, scenario=identity(scenario), seed=scenario.seed)
    events: list[Event] = []
    kernel.journal.watch(events.append)
    if observer is not None:
        kernel.journal.watch(observer)
    begin_s = time.monotonic()
    try:
        cell = Cell(scenario, kernel, job=job, program=model, real=real, run_dir=run_dir, sdk=sdk, warm=warm)
        _run_cell(cell, kernel)
    finally:
        kernel.close()
    wall_s = time.monotonic() - begin_s
    return judge(
        scenario,
        run_dir,
        events,
        kernel.journal.sha256,
        wall_s,
        dict(job.bin_names),
        cell.stdf.path,
        deterministic=cell.deterministic,
    )


def _run_cell(cell: Cell, kernel: Kernel) -> None:
    try:
        cell.run()
    except StuckError as error:
        kernel.journal.record("problem", "cell", text=f"the cell stands still: {error}")
        kernel.journal.record("end", "cell", reason="standstill")


def _model(scenario: Scenario) -> ProgramModel | None:
    root = scenario.program.definitions
    return None if root is None else load_program_model(scenario.path_of(root))


def _check_tests(chosen: Sequence[str], model: ProgramModel | None, sdk: SdkFile | None) -> None:
    if sdk is None and model is None:
        return
    known = sdk.tests if sdk is not None else [test.instance for test in model.tests] if model is not None else []
    for name in chosen:
        if name not in known:
            raise DrycellError(f"program.tests: the program has no test {name!r}; {did_you_mean(name, known)}")


def _real(
    scenario: Scenario,
    run_dir: Path,
    say: Callable[[str], None],
    sdk: SdkFile | None,
    debug: DebugWish | None,
    warm: WarmPrograms | None,
) -> RealProgram:
    program = scenario.program
    if sdk is not None:
        assert sdk.python is not None
        script, python = sdk.path, sdk.python
    elif program.path is not None:
        if program.python is None:
            raise DrycellError("program.python is missing: name the interpreter that has Semi-ATE, or --python")
        script, python = _plain(scenario, program.path), _plain(scenario, program.python)
    elif program.definitions is not None:
        made = prepare(scenario.path_of(program.definitions), say=say)
        script, python = made.program, made.python
    else:
        raise DrycellError("the scenario names no program: set program.path or program.definitions, or use --program")
    examined = (warm.examined if warm is not None else examine)(python, script)
    copy = private_copy(script, run_dir / "program")
    if debug is not None:
        say(
            f"the program of site {debug.site} waits for a debugger at {debug.address} and the world with it; "
            f"its files are in {copy.parent}"
        )
    return RealProgram(examined.python, copy.name, copy.parent, script.parent, debug)


def _plain(scenario: Scenario, text: str) -> Path:
    """The file that ``text`` names, without ``..`` in its path."""
    return Path(os.path.normpath(scenario.path_of(text)))


def _job(
    scenario: Scenario, model: ProgramModel | None, real: RealProgram | None, run_dir: Path, sdk: SdkFile | None
) -> Job:
    cwd = f"{RUN}/program" if real is None else f"{RUN}/{real.folder.relative_to(run_dir)}"
    if sdk is not None:
        return Job(
            scenario.devices.lot,
            sdk.bin_table,
            sdk.path.name,
            cwd,
            args=("--verbose", "--dialect", scenario.cell.dialect),
            part_type=scenario.devices.part_type or scenario.devices.model,
            program_name=sdk.path.stem,
            bin_names=sdk.bin_names,
            tests=scenario.program.tests,
        )
    if real is not None:
        name = Path(real.script).stem
        table = _bin_table(real.folder / f"{name}_binning.json")
    else:
        assert model is not None
        name, table = model.name, dict(model.bin_table)
    return Job(
        scenario.devices.lot,
        table,
        f"{name}.py",
        cwd,
        part_type=scenario.devices.part_type or scenario.devices.model,
        program_name=name,
        bin_names=model.bin_names if model is not None else {},
        tests=scenario.program.tests,
    )


def _bin_table(path: Path) -> dict[int, tuple[int, ...]]:
    try:
        rows = json.loads(path.read_text("utf-8"))["bin-table"]
        table: dict[int, tuple[int, ...]] = {}
        for row in rows:
            table[int(row["HBIN"])] = (*table.get(int(row["HBIN"]), ()), int(row["SBIN"]))
        return table
    except FileNotFoundError:
        shape = '{"bin-table": [{"SBIN": "1", "HBIN": "1", "SBINNAME": "Good", "GROUP": "", "DESCRIPTION": ""}]}'
        raise DrycellError(f"{path.name} is missing beside the program; it holds the bins, such as {shape}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DrycellError(f"{path.name} is no binning table of Semi-ATE ({type(error).__name__}: {error})") from None


@garbage.kept()
def judge(
    scenario: Scenario,
    run_dir: Path,
    events: Sequence[Event],
    journal_sha256: str,
    wall_s: float,
    bin_names: dict[int, str],
    stdf_path: Path | None,
    *,
    deterministic: bool,
) -> RunResult:
    """The result of the ``events`` of a journal and the STDF file they belong to; nothing else is looked at."""
    cell = scenario.cell
    timeouts_s = {str(name): seconds for name, seconds in cell.timeouts.items()}
    facts = oracles.Facts(
        events, cell.device_id, cell.handler.id, scenario.devices.size, timeouts_s, stdf_path,
        dialect=cell.protocol, actuators=tuple(cell.peripherals),
    )  # fmt: skip
    answers = oracles.judge(facts, scenario.expect)
    counts = tally(_counting(facts))
    return RunResult(
        verdict=overall(answers),
        oracles=answers,
        journal_sha256=journal_sha256,
        virtual_s=events[-1].t_ns / 1e9 if events else 0.0,
        wall_s=round(wall_s, 3),
        parts=counts.parts,
        soft_bins=counts.soft_bins,
        hard_bins=counts.hard_bins,
        yield_=counts.yield_,
        stdf_path=stdf_path,
        run_dir=run_dir,
        deterministic=deterministic,
        rung=scenario.rung,
        pace=str(scenario.effective_pace),
        seed=scenario.seed,
        versions=versions(),
        problems=_problems(facts),
        soft_bin_names=bin_names,
    )


def _counting(facts: oracles.Facts) -> list[Event]:
    """The events from which the counts in a result follow: what programs said of their devices, and the bins."""
    said = [heard.event for heard in facts.program(facts.dialect.stdf.kind)]
    return sorted([*said, *facts.of_kind("sorted")], key=lambda event: event.seq)


def _problems(facts: oracles.Facts) -> tuple[str, ...]:
    """What a user should read: every problem, and the message of every soft error, in order."""
    found = []
    for event in facts.of_kind("problem", "state"):
        if event.kind == "problem":
            found.append(event.fields["text"])
        elif event.actor == "master" and event.fields["to"] == "softerror":
            found.append(f"soft error at {event.t_ns / 1e9:.3f} s: {event.fields.get('message', '')}")
    return tuple(dict.fromkeys(found))


@cache
def versions() -> Mapping[str, str]:
    """What made the run what it is: drycell, Python and the packages that bytes depend on."""
    names = ("amqtt", "simpy", "numpy", "orjson")
    return {
        "drycell": drycell.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
