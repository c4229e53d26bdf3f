"""Who is released for its next test, and when: the two strategies of tester masters. Pure.

``simple``: whoever asks. ``default``: once every site that still tests has asked, the next stage of that test, as the
program's execution strategy lists them; then the next test. A site that no stage names forms a last stage of its own,
and a site that has stopped testing is not waited for, so nobody waits for ever.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from drycell.runtime.plugins.errors import PluginError

Stages = Sequence[Sequence[int]]


class Strategy(Protocol):
    """Decides for one touchdown after the other."""

    def begin(self, stages_by_test: Sequence[Stages]) -> None:
        """A touchdown begins; ``stages_by_test``: test index -> its stages, each a list of sites."""

    def release(self, asking: Collection[int], testing: Collection[int]) -> tuple[int, ...]:
        """The sites to release now. ``testing``: all that have not ended the touchdown, those that ask included."""


class SimpleStrategy:
    """Nobody waits for anybody."""

    def begin(self, stages_by_test: Sequence[Stages]) -> None:
        """Stages are nothing to it."""

    def release(self, asking: Collection[int], testing: Collection[int]) -> tuple[int, ...]:
        """All that ask."""
        return tuple(sorted(asking))


class DefaultStrategy:
    """Test by test, stage by stage."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, stages_by_test: Sequence[Stages]) -> None:
        """A touchdown begins."""
        self._stages_by_test = stages_by_test
        self._test = -1
        self._open: list[tuple[int, ...]] = []

    def release(self, asking: Collection[int], testing: Collection[int]) -> tuple[int, ...]:
        """The next stage, once all that test are asking."""
        if not testing or not set(testing) <= set(asking):
            return ()
        while not (stage := self._next_stage(testing)):
            pass
        return stage

    def _next_stage(self, testing: Collection[int]) -> tuple[int, ...]:
        if not self._open:
            self._test += 1
            known = self._test < len(self._stages_by_test)
            self._open = [tuple(stage) for stage in self._stages_by_test[self._test]] if known else []
            named = {site for stage in self._open for site in stage}
            self._open.append(tuple(sorted(set(testing) - named)))
        return tuple(site for site in self._open.pop(0) if site in testing)


STRATEGIES: Mapping[str, type[SimpleStrategy] | type[DefaultStrategy]] = {
    "simple": SimpleStrategy,
    "default": DefaultStrategy,
}


def make_strategy(name: str) -> Strategy:
    """The strategy that a tester master's ``get_strategy_type`` names. Raises PluginError for any other."""
    if name not in STRATEGIES:
        raise PluginError(f"a tester master has strategy {name!r}; known are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()
