"""The pytest plugin: options, marker, the ``cell`` fixture, and the footer of a failed test.

Rules
- Nothing of the simulator is loaded before a test asks for it.
- Hypothesis is left alone unless an option of ours is given. Then a profile is in force that keeps the example
  database where Hypothesis' own profile for CI has none, so that a cached ``.hypothesis`` folder repeats failures first.
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

LAST_SEED = "drycell/last_seed"
PROFILE = "drycell"
_MARK = "drycell"
_SEED = "drycell_seed"
_CELL = pytest.StashKey["CellUnderTest"]()
_OURS = ("drycell_seed", "drycell_replay", "drycell_runs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our options."""
    group = parser.getgroup("drycell", "simulated test cells")
    group.addoption("--drycell-seed", metavar="N|last|random", help="seed of every run; last: that of the last failure")
    group.addoption("--drycell-replay", metavar="FILE", help="fly this scenario, run directory or finding instead")
    group.addoption("--drycell-rung", metavar="RUNG", choices=("model", "process"), help="fly on this rung")
    group.addoption("--drycell-runs", metavar="N", type=int, help="how many scenarios a test with @given draws")


def pytest_configure(config: pytest.Config) -> None:
    """Our marker; a profile of Hypothesis when one of our options asks for it."""
    config.addinivalue_line(
        "markers", "drycell(scenario, **overrides): the scenario file that cell.run() flies, with dotted keys changed"
    )
    _choose_seed(config)
    if any(config.getoption(name) is not None for name in _OURS):
        _load_profile(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """The seed, when one was chosen."""
    seed = config.getoption("drycell_seed")
    return None if seed is None else f"drycell: --drycell-seed {seed}"


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> "Iterator[CellUnderTest]":
    """A simulated test cell: ``cell.run(scenario)`` flies it and judges it."""
    from drycell.sim.errors import DrycellError
    from drycell.sim.testing.cell import CellUnderTest, Wishes, scenario_of

    config = request.config
    seed, replay = config.getoption("drycell_seed"), config.getoption("drycell_replay")
    try:
        wishes = Wishes(
            config.getoption("drycell_rung"),
            None if seed is None else int(seed),
            None if replay is None else scenario_of(Path(replay)),
        )
    except DrycellError as error:
        raise pytest.UsageError(str(error)) from None
    made = request.session.stash[_CELL] = CellUnderTest(wishes)
    yield made
    made.forget()


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
    kept = made.keep() if report.failed else None
    if kept is not None:
        footer, seed = kept
        report.sections.append(("drycell", footer))
        report.user_properties.append((_SEED, seed))
    made.forget()
    return report


class _LastSeed:
    """Remembers the seed of the last failure; on the controller only, when tests are spread over processes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seed = dict(report.user_properties).get(_SEED)
        if seed is not None and self._config.cache is not None:
            self._config.cache.set(LAST_SEED, seed)


def _choose_seed(config: pytest.Config) -> None:
    """``last`` and ``random`` become numbers, once, for all workers."""
    if hasattr(config, "workerinput"):
        config.option.drycell_seed = config.workerinput["drycell_seed"]
        return
    config.pluginmanager.register(_LastSeed(config), "drycell-last-seed")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Workers(), "drycell-workers")
    word = config.getoption("drycell_seed")
    if word == "random":
        config.option.drycell_seed = str(random.SystemRandom().randrange(2**32))
    elif word == "last":
        cache = getattr(config, "cache", None)
        last = None if cache is None else cache.get(LAST_SEED, None)
        if last is None:
            raise pytest.UsageError("--drycell-seed last: no test with a cell has failed here yet")
        config.option.drycell_seed = str(last)
    elif word is not None and not word.isdecimal():
        raise pytest.UsageError(f"--drycell-seed {word!r} is neither a whole number nor last nor random")


class _Workers:
    """Hands the chosen seed to the workers of pytest-xdist."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["drycell_seed"] = node.config.getoption("drycell_seed")


def _marked(item: pytest.Item) -> "Scenario | None":
    from drycell.sim.scenario import load

    mark = item.get_closest_marker(_MARK)
    if mark is None:
        return None
    return load(item.config.rootpath / mark.args[0], mark.kwargs)


def _load_profile(config: pytest.Config) -> None:
    try:
        from hypothesis import settings
        from hypothesis.database import DirectoryBasedExampleDatabase
    except ModuleNotFoundError:
        if config.getoption("drycell_runs") is not None:
            raise pytest.UsageError("--drycell-runs needs Hypothesis; pip install 'drycell[test]'") from None
        return
    runs = 1 if config.getoption("drycell_replay") is not None else config.getoption("drycell_runs")
    if runs is not None and runs < 1:
        raise pytest.UsageError(f"--drycell-runs {runs}: at least one run is needed")
    folder = Path(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY") or config.rootpath / ".hypothesis") / "examples"
    changes: dict[str, Any] = {} if runs is None else {"max_examples": runs}
    settings.register_profile(
        PROFILE,
        settings.get_profile("default"),
        database=DirectoryBasedExampleDatabase(folder),
        derandomize=False,
        deadline=None,
        **changes,
    )
    settings.load_profile(PROFILE)
    seed = config.getoption("drycell_seed")
    if seed is not None and getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = seed
