"""How processes see the world, and what lockstep counts and finds: values only."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """How processes see the world. Durations of simulated time in ns, guards in wall seconds (None: off).

    ``on_hang``: what happens when a process computes for longer than ``guard_s``. ``fail`` raises HangError; ``pace``
    lets simulated time pass as fast as on the wall until it is back, and the run is not deterministic.
    """

    tick_ns: int = 1000
    epoch_ns: int = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
    uptime_ns: int = 10**15
    seed: int = 0
    hostname: str = "testcell"
    cpus: int = 2
    hosts: tuple[tuple[str, int, str, int], ...] = ()  # (host, port or 0, real host, real port)
    guard_s: float | None = 60.0
    on_hang: Literal["fail", "pace"] = "fail"
    start_s: float = 60.0
    zeno: int = 20_000
    fix_addresses: bool = True

    @property
    def of_every_run(self) -> dict[str, int | str]:
        """What CONFIG says of the world whatever the run."""
        return {
            "tick_ns": self.tick_ns,
            "uptime_ns": self.uptime_ns,
            "hostname": self.hostname,
            "cpus": self.cpus,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know about a process: kind, process, text, and the stack it comes from."""

    kind: str
    process: str
    text: str
    stack: str = ""


@dataclass(slots=True)
class Counters:
    """What lockstep did, for diagnosis and benchmarks."""

    supersteps: int = 0
    runs: int = 0
    pokes: int = 0
    advances: int = 0
    log: list[Finding] = field(default_factory=list)
    blocked: list[Finding] = field(default_factory=list)  # found by the wall clock, so for people only
