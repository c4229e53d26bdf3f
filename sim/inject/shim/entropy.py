"""What else differs between two runs, pinned: random bytes, process ids, machine identity, addresses, folder order.

Rules: all random bytes come from one SHA-256 counter stream of the seed in CONFIG, which differs per process; the
process sees the identity that CONFIG gives it.
"""

from __future__ import annotations

import os
import posix
import sys

from . import baton, links, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ADDR_NO_RANDOMIZE = 0x0040000
_MARK = "DRYCELL_FIXED"
_seed = b""
_counter = 0
_pid = 0


def fix_addresses() -> None:
    """Start this interpreter again without address-space randomisation, once, where the system allows it."""
    if os.environ.pop(_MARK, None) or not os.environ.get("DRYCELL_FIX_ADDRESSES"):
        return
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        now = libc.personality(0xFFFFFFFF)
        if now < 0 or now & ADDR_NO_RANDOMIZE or libc.personality(now | ADDR_NO_RANDOMIZE) < 0:
            return
    except (ImportError, OSError, AttributeError):
        return
    os.environ[_MARK] = "1"
    os.execv(sys.executable, [sys.orig_argv[0], *sys.orig_argv[1:]])


def nobody(what: str) -> None:
    """Nobody minds who asks for what differs between runs."""


witness: Callable[[str], None] = nobody  # a fork server puts its own here while imports run


class Seeding:
    """A generator that was seeded from the stream, at block ``counter`` of it."""

    def __init__(self, generator: Any, counter: int) -> None:
        self.generator = generator
        self.counter = counter

    def again(self) -> None:
        """Seed it as the present seed asks."""
        global _counter
        _counter = self.counter
        self.generator.seed(None)


seedings: list[Seeding] = []


def is_fresh(seeding: Seeding) -> bool:
    """Whether nothing was drawn from the generator since."""
    global _counter
    import _random

    counter, _counter = _counter, seeding.counter
    fresh = _random.Random()
    fresh.seed(None)
    _counter = counter
    return bool(fresh.getstate() == _random.Random.getstate(seeding.generator))


def states() -> list[Any]:
    """What would show that a generator was seeded or asked."""
    import _random

    return [_random.Random.getstate(seeding.generator) for seeding in seedings]


def urandom(size: int, /) -> bytes:
    """``os.urandom`` from the seed."""
    if size < 0:
        raise ValueError("negative argument not allowed")
    witness("random bytes")
    return _drawn(size)


def _drawn(size: int) -> bytes:
    global _counter
    from hashlib import sha256

    out = b""
    while len(out) < size:
        out += sha256(_seed + _counter.to_bytes(8, "little")).digest()
        _counter += 1
    return out[:size]


def getrandom(size: int, flags: int = 0) -> bytes:
    """``os.getrandom`` from the seed."""
    return urandom(size)


def getpid() -> int:
    """``os.getpid``: the process id the simulator gave."""
    witness("the process id")
    return _pid if real.getpid() == _own else real.getpid()


_own = 0


def kill(pid: int, number: int, /) -> None:
    """``os.kill``, where a program may name itself by the id it sees."""
    links.catch_up()
    real.kill(_own if pid == _pid else pid, number)


def listdir(path: Any = None) -> list[Any]:
    """``os.listdir`` in sorted order."""
    return sorted(_real_listdir(path))


class _Scan:
    """``os.scandir`` in sorted order."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._entries = iter(sorted(entries, key=lambda entry: entry.name))

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def scandir(path: Any = None) -> Any:
    """``os.scandir`` in sorted order."""
    return _Scan(_real_scandir(path))


_real_listdir, _real_scandir = posix.listdir, posix.scandir


def identify(settings: dict[str, Any]) -> None:
    """Take seed and process id from CONFIG."""
    global _seed, _pid, _own
    _seed = str(settings.get("seed", "")).encode()
    _own, _pid = real.getpid(), int(settings.get("pid", 0)) or real.getpid()


def install(settings: dict[str, Any]) -> None:
    """Pin everything that CONFIG names."""
    identify(settings)
    names: dict[str, Any] = {"listdir": listdir, "scandir": scandir}
    if _seed:
        names |= {"urandom": urandom, "getrandom": getrandom}
        _seed_random()
    if _pid != _own:
        names |= {"getpid": getpid, "kill": kill}
    cpus = settings.get("cpus")
    if cpus:
        names["cpu_count"] = lambda: int(cpus)
        names["sched_getaffinity"] = lambda pid: set(range(int(cpus)))
        names["process_cpu_count"] = lambda: int(cpus)
    for name, function in names.items():
        for module in (posix, os):
            if hasattr(module, name):
                setattr(module, name, staticmethod(function))
    if settings.get("hostname"):
        _fix_uname(str(settings["hostname"]))


def _fix_uname(hostname: str) -> None:
    known = posix.uname()
    fixed = posix.uname_result((known[0], hostname, *known[2:]))
    for module in (posix, os):
        module.uname = staticmethod(lambda: fixed)  # type: ignore[attr-defined]


def _seed_random() -> None:
    """``random.Random()`` takes its seed in C; give it ours. ``uuid`` loses its C helper, which reads the clock."""
    import _random

    class Random(_random.Random):
        """``_random.Random`` seeded from the simulator when no seed is given."""

        def seed(self, n: Any = None, /) -> None:
            if n is None and witness is not nobody:
                seedings.append(Seeding(self, _counter))
            super().seed(int.from_bytes(_drawn(32), "little") if n is None else n)

    _random.Random = Random  # type: ignore[misc]
    sys.modules["_uuid"] = None  # type: ignore[assignment]


def reads() -> int:
    """Clock readings so far, for tests."""
    return baton.reads
