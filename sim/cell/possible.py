"""What cannot be run here, said before anything is started. The one place for such checks."""

import sys

from drycell.sim import oracles
from drycell.sim.broker.external import Address
from drycell.sim.cell.sdk_files import sdk_path
from drycell.sim.errors import DrycellError
from drycell.sim.lockstep import DebugWish
from drycell.sim.scenario import Scenario, Step


def refuse_impossible(scenario: Scenario) -> None:
    """Raises DrycellError, with what to do instead, for a scenario that this drycell or machine cannot run."""
    oracles.check_names(scenario.expect)
    if scenario.cell.broker is not None:
        Address.parse(scenario.cell.broker)
        if scenario.effective_pace.is_virtual:
            raise DrycellError("a broker that runs elsewhere knows no simulated time; use --pace real with it")
    if scenario.hosts and (scenario.rung != "process" or not scenario.effective_pace.is_virtual):
        raise DrycellError("hosts leads real programs in virtual time to instruments; use rung process, pace virtual")
    for step in scenario.timeline:
        _refuse_pointless(step, scenario.cell.dialect)
    if scenario.cell.tester is not None and scenario.cell.dialect != "semi-ate":
        raise DrycellError("cell.tester is asked by programs of dialect semi-ate only; remove it or the dialect")
    if scenario.cell.tester is not None and sdk_path(scenario) is not None:
        raise DrycellError("programs that import drycell.runtime.program ask no tester; remove cell.tester")
    if scenario.rung == "model":
        named = scenario.program.path
        if named is not None and not scenario.path_of(named).exists():
            raise DrycellError(f"there is no program {scenario.path_of(named)}")
        if scenario.program.definitions is None and sdk_path(scenario) is None:
            raise DrycellError(
                "rung model interprets definitions, but there are none, and program.path names no program of the SDK,"
                " which imports drycell.runtime.program; set program.definitions or program.path"
            )
        return
    if not sys.platform.startswith("linux"):
        raise DrycellError("rung process needs Linux or WSL2; use --rung model here")
    if scenario.effective_pace.factor not in (None, 1):
        raise DrycellError(
            f"pace {scenario.effective_pace} is not for real programs, which follow the wall clock or the simulated"
            " one; use --pace virtual or --pace real"
        )
    if scenario.program.path is None and scenario.program.definitions is None:
        raise DrycellError("the scenario names no program; set program.definitions, or program.path with --program")


def _refuse_pointless(step: Step, dialect: str) -> None:
    if step.do.fault is None or dialect in step.do.fault[1].dialects:
        return
    name, fault = step.do.fault
    raise DrycellError(
        f"timeline: {name} makes no difference in dialect {dialect}, only in {' and '.join(fault.dialects)}; "
        "remove it, or change cell.dialect"
    )


def refuse_debugging(scenario: Scenario, wish: DebugWish) -> None:
    """Raises DrycellError when no debugger can be let into the program of that site."""
    if scenario.rung != "process" or not scenario.effective_pace.is_virtual:
        raise DrycellError("--debug stops the world at a breakpoint; it needs rung process and pace virtual")
    if wish.site not in scenario.cell.sites:
        raise DrycellError(f"--debug: the cell has no site {wish.site}; its sites are {list(scenario.cell.sites)}")
    wish.check()
