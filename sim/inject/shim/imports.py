"""What imports learn of one run, watched, so that their outcome can be used for every run.

Rules: the clock is read again after a fork for the modules that are known to keep a reading; a variable of the
environment may be looked at, and is then the same at every launch; whatever else differs between runs may not be
asked for.
"""

from __future__ import annotations

import os
import posix
import sys

from . import baton, clocks, entropy, links, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class UnfitError(Exception):
    """Why this program cannot be started warm."""


class _Environment(dict):  # type: ignore[type-arg]
    """The variables, and which of them were looked at or changed."""

    def __init__(self, found: dict[bytes, bytes]) -> None:
        super().__init__(found)
        self.asked: dict[bytes, bytes | None] = {}
        self.changed: dict[bytes, bytes | None] = {}

    def __getitem__(self, key: bytes) -> bytes:
        if key not in self.changed:
            self.asked[key] = super().get(key)
        found: bytes = super().__getitem__(key)
        return found

    def __contains__(self, key: object) -> bool:
        if isinstance(key, bytes) and key not in self.changed:
            self.asked[key] = super().get(key)
        return super().__contains__(key)

    def __iter__(self) -> Any:
        _refuse("all variables of the environment")
        return super().__iter__()

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.changed[key] = value
        super().__setitem__(key, value)

    def __delitem__(self, key: bytes) -> None:
        self.changed[key] = None
        super().__delitem__(key)


class _Arguments(list):  # type: ignore[type-arg]
    """The command line, which imports may not look at."""

    def __getitem__(self, place: Any) -> Any:
        _refuse("the command line")
        return super().__getitem__(place)

    def __iter__(self) -> Any:
        _refuse("the command line")
        return super().__iter__()

    def __len__(self) -> int:
        _refuse("the command line")
        return super().__len__()


def _asker() -> str:
    """The module that asks, from the stack."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("drycell_shim"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "?"))


_asked: list[str] = []


def _refuse(what: str) -> None:
    _asked.append(f"{_asker()} asks for {what} when it is imported")


def new_modules(known: set[str]) -> dict[str, str]:
    """Modules of files that are imported and not ``known``: name -> file, in the order of their imports."""
    found = {}
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if name not in known and isinstance(origin, str) and origin.startswith("/"):
            found[name] = origin
    return found


def import_later_ones(told: dict[str, Any], watch: Watch) -> None:
    """Import those modules that programs import later on of which a trial in a process of its own shows no trace."""
    from importlib import import_module

    for name in told["modules"]:
        if name in sys.modules:
            continue
        pid = real.fork()
        if not pid:
            os._exit(_trial(name, told["modules"], told["changed"]))
        if not real.waitpid(pid, 0)[1]:
            with watch:
                import_module(name)


def _trial(name: str, modules: dict[str, str], changed: list[str]) -> int:
    """0 if the import of ``name`` brings in nothing but ``modules`` and asks for nothing that may have changed."""
    from importlib import import_module

    known, states = set(sys.modules), entropy.states()
    try:
        with Watch() as watch:
            import_module(name)
    except BaseException:
        return 1
    environment = watch.environment
    traces = watch.clock_readers, environment.changed, environment.asked.keys() & map(os.fsencode, changed)
    strangers = new_modules(known).items() - modules.items()
    return int(any(traces) or bool(strangers or watch.refused()) or states != entropy.states())


class Watch:
    """Watches what the imports ask for, and knows how to tell it again."""

    def __init__(self) -> None:
        self.clock_readers: list[tuple[str, int]] = []  # module, number of the reading
        self.environment = _Environment(os.environ._data)  # type: ignore[attr-defined]
        self._plain: Any = None

    def __enter__(self) -> Watch:
        self._plain = os.environ._data, clocks.read, os.getcwd  # type: ignore[attr-defined]
        os.environ._data = self.environment  # type: ignore[attr-defined]
        clocks.read = self._read
        os.getcwd = lambda: (_refuse("the working folder"), posix.getcwd())[1]  # type: ignore[func-returns-value]
        entropy.witness = _refuse
        sys.argv = _Arguments(["-c"])
        return self

    def __exit__(self, *exc: object) -> None:
        os.environ._data, clocks.read, os.getcwd = self._plain  # type: ignore[attr-defined]
        entropy.witness = entropy.nobody

    def _read(self) -> int:
        self.clock_readers.append((_asker(), baton.reads + 1))
        return baton.read_clock()

    def refused(self) -> list[str]:
        """What was learnt or done that cannot be told or done again."""
        strangers = [name for name, _ in self.clock_readers if name not in CLOCKS]
        if strangers:
            _asked.append(f"{strangers[0]} reads the clock when it is imported")
        if len(baton.strands) > 1 or links.by_fd or links.listeners:
            _asked.append("the imports start threads or open connections")
        return _asked

    def judge(self) -> None:
        """Raises UnfitError when programs cannot be forked after these imports."""
        if not all(entropy.is_fresh(seeding) for seeding in entropy.seedings):
            _asked.append("random numbers are drawn during the imports")
        if self.refused():
            raise UnfitError(_asked[0])


def _logging_started() -> None:
    import logging

    began: Any = logging._startTime  # type: ignore[attr-defined]
    import time

    logging._startTime = time.time_ns() if isinstance(began, int) else time.time()  # type: ignore[attr-defined]


CLOCKS: dict[str, Callable[[], None]] = {"logging": _logging_started}
"""Modules that keep a reading of the clock from their import, and what gives them another."""
