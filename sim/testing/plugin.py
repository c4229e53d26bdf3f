"""The pytest plugin: options, marker, the ``cell`` fixture, and the footer of a failed test.

Rules
- Nothing of the simulator is loaded before a test asks for it.
- Hypothesis is left alone unless an option of ours is given. Then a profile is in force that keeps the example
  database where Hypothesis' own profile for CI has none, so that a cached ``.hypothesis`` folder repeats failures
  first. Which lines of the simulator only failing runs pass explains nothing, and is left out: it takes as long as
  all the rest.
- Under pytest-xdist each worker has its own cell; what the controller must know travels with the reports.
"""

import os
import random
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from drycell.sim.scenario import Scenario
    from drycell.sim.testing.cell import CellUnderTest

PROFILE = "drycell"
STORE = ".drycell"
LAST_SEED = "last_seed"
"""File in the store: the seed of the last failure."""
_MARK = "drycell"
_SEED = "drycell_seed"
_CELL = pytest.StashKey["CellUnderTest"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our options."""
    group = parser.getgroup("drycell", "simulated test cells")
    group.addoption(
        "--drycell-seed", metavar="N|last|random", help="seed of every run; last: that of the last failure"
    )
    group.addoption(
        "--drycell-replay", metavar="PATH", help="fly this scenario, run or finding instead of all others"
    )
    group.addoption("--drycell-rung", choices=("model", "process"), help="fly on this rung")
    group.addoption("--drycell-runs", metavar="N", type=int, help="how many scenarios a test with @given draws")


@pytest.hookimpl(tryfirst=True)  # before Hypothesis' own plugin, whose options go before ours
def pytest_configure(config: pytest.Config) -> None:
    """Our marker; a profile of Hypothesis when one of our options asks for it."""
    config.addinivalue_line(
        "markers", "drycell(scenario, **overrides): the scenario file that cell.run() flies, with dotted keys changed"
    )
    _choose_seed(config)
    if any(config.getoption(f"drycell_{name}") is not None for name in ("seed", "replay", "runs")):
        _load_profile(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """The seed, when one was chosen."""
    seed = config.getoption(_SEED)
    return None if seed is None else f"drycell: --drycell-seed {seed}"


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> "Iterator[CellUnderTest]":
    """A simulated test cell: ``cell.run(scenario)`` flies it and judges it."""
    from drycell.sim.testing.cell import CellUnderTest, Wishes, scenario_of

    option = request.config.getoption
    seed, replay = option(_SEED), option("drycell_replay")
    made = CellUnderTest(
        Wishes(
            rung=option("drycell_rung"),
            seed=None if seed is None else int(seed),
            replay=None if replay is None else scenario_of(Path(replay)),
            store=_store(request.config),
        )
    )
    request.session.stash[_CELL] = made
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tell the cell which test begins."""
    made = item.session.stash.get(_CELL, None)
    if made is not None:
        made.begin(_marked(item))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A failed test gets a footer, and its last run a place in the run store."""
    report: pytest.TestReport = yield
    made = item.session.stash.get(_CELL, None)
    if made is None or call.when != "call":
        return report
    kept = made.keep(item.nodeid) if report.failed else None
    if kept is not None:
        footer, seed = kept
        report.sections.append(("drycell", footer))
        report.user_properties.append((_SEED, seed))
    made.forget()
    return report


class _Controller:
    """What is done once, and not by each worker of pytest-xdist: remember the seed of the last failure."""

    def __init__(self, config: pytest.Config) -> None:
        self._file = _store(config) / LAST_SEED

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seed = dict(report.user_properties).get(_SEED)
        if seed is not None:
            self._file.parent.mkdir(exist_ok=True)
            self._file.write_text(f"{seed}\n", encoding="utf-8")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Of pytest-xdist: the chosen seed for a worker."""
        node.workerinput[_SEED] = node.config.getoption(_SEED)


def _store(config: pytest.Config) -> Path:
    return config.rootpath / STORE


def _choose_seed(config: pytest.Config) -> None:
    """``last`` and ``random`` become numbers, once, for all workers."""
    if hasattr(config, "workerinput"):
        config.option.drycell_seed = config.workerinput[_SEED]
        return
    config.pluginmanager.register(_Controller(config), "drycell-controller")
    word = config.getoption(_SEED)
    if word == "random":
        config.option.drycell_seed = str(random.SystemRandom().randrange(2**32))
    elif word == "last":
        file = _store(config) / LAST_SEED
        if not file.is_file():
            raise pytest.UsageError("--drycell-seed last: no test with a cell has failed here yet")
        config.option.drycell_seed = file.read_text(encoding="utf-8").strip()
    elif word is not None and not word.isdecimal():
        raise pytest.UsageError(f"--drycell-seed {word!r} is neither a whole number nor last nor random")


def _marked(item: pytest.Item) -> "Scenario | None":
    from drycell.sim.scenario import load

    mark = item.get_closest_marker(_MARK)
    if mark is None:
        return None
    if len(mark.args) != 1:
        raise pytest.UsageError('the marker names one scenario file: @pytest.mark.drycell("scenarios/lot.yaml")')
    return load(item.config.rootpath / mark.args[0], mark.kwargs)


def _load_profile(config: pytest.Config) -> None:
    runs = 1 if config.getoption("drycell_replay") is not None else config.getoption("drycell_runs")
    if runs is not None and runs < 1:
        raise pytest.UsageError(f"--drycell-runs {runs}: at least one run is needed")
    try:
        from hypothesis import Phase, settings
        from hypothesis.database import DirectoryBasedExampleDatabase
    except ModuleNotFoundError:
        if config.getoption("drycell_runs") is not None:
            raise pytest.UsageError("--drycell-runs needs Hypothesis; pip install 'drycell[test]'") from None
        return
    now = settings()
    changes: dict[str, Any] = {"phases": [phase for phase in now.phases if phase is not Phase.explain]}
    if runs is not None:
        changes["max_examples"] = runs
    if now.database is None:
        folder = Path(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY") or config.rootpath / ".hypothesis")
        changes["database"] = DirectoryBasedExampleDatabase(folder / "examples")
    settings.register_profile(PROFILE, now, derandomize=False, deadline=None, **changes)
    settings.load_profile(PROFILE)
    seed = config.getoption(_SEED)
    if seed is not None and getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = seed
