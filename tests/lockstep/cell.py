"""A master for ``programs/sequencer_like.py`` on the real broker, for tests and benchmarks."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drycell.sim.broker import Broker, Message
from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import Lockstep, Process, Settings, pinned_environment

PROGRAM = Path(__file__).parent / "programs" / "sequencer_like.py"
ANSWER_NS = 37_000_000


def plain(value: Any) -> Any:
    """A journal field without bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@dataclass
class Cell:
    """``sites`` programs, each asked for ``cycles`` results; then look at the journal hash and the messages."""

    python: Path | str
    sites: int = 1
    cycles: int = 10
    settings: Settings = field(default_factory=lambda: Settings(tick_ns=0))
    program: Path = PROGRAM
    also: Callable[["Cell"], None] = lambda cell: None
    until_s: float | None = None
    kernel: Kernel = field(default_factory=Kernel)
    messages: list[tuple[int, str, str]] = field(default_factory=list)
    ended: dict[str, tuple[int, int]] = field(default_factory=dict)
    output: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lockstep = Lockstep(self.kernel, self.settings, on_exit=self._ended)
        self.asked = dict.fromkeys(range(self.sites), 0)
        self.children: dict[str, subprocess.Popen[str]] = {}
        self.done = asyncio.Event()

    def _ended(self, process: Process) -> None:
        child = self.children[process.name]
        self.output[process.name] = child.communicate()[0]
        self.ended[process.name] = self.kernel.now_ns, child.returncode
        if len(self.ended) == self.sites:
            self.done.set()

    def _heard(self, message: Message) -> None:
        topic, payload = message.topic, bytes(message.payload).decode()
        self.messages.append((self.kernel.now_ns, topic, payload))
        kind, _, site = topic.partition("/")
        if kind == "ask":
            self.kernel.later(ANSWER_NS, lambda: self.broker.publish("master", f"answer/{site}", b"1", 2))
        elif kind == "result" or payload == "idle":
            number = self.asked[int(site)]
            if number < self.cycles:
                self.asked[int(site)] += 1
                self.broker.publish("master", f"command/{site}", json.dumps({"n": number}).encode(), 2)

    def _record(self, kind: str, actor: str, **fields: Any) -> None:
        self.kernel.journal.record(kind, actor, **{key: plain(value) for key, value in fields.items()})

    async def _main(self) -> None:
        self.broker = Broker(now_ns=lambda: self.kernel.now_ns, record=self._record)
        await self.broker.start()
        self.lockstep.open_port(self.broker.port)
        self.broker.tap("#", self._heard)
        for site in range(self.sites):
            name = f"site{site}"
            environment = pinned_environment(os.environ, self.lockstep.enrol(name, site))
            arguments = [str(site), str(self.broker.port), str(self.cycles)]
            self.children[name] = child = subprocess.Popen(  # noqa: ASYNC220  (no thread may run beside the kernel)
                [str(self.python), "-W", "ignore", str(self.program), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.lockstep.launched(name, child.pid)
        self.also(self)
        await (self.done.wait() if self.until_s is None else asyncio.sleep(self.until_s))
        await asyncio.sleep(1)
        await self.broker.stop()

    def run(self) -> "Cell":
        """Run to the end of all programs (or ``until_s``) and one simulated second more."""
        try:
            self.kernel.run(self._main())
        finally:
            self.lockstep.close()
            for child in self.children.values():
                if child.poll() is None:
                    child.kill()
                    child.communicate()
            self.kernel.close()
        return self

    @property
    def sha256(self) -> str:
        """The hash of the journal."""
        return self.kernel.journal.sha256


if __name__ == "__main__":
    cell = Cell(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])).run()
    print(cell.sha256, cell.lockstep.counters)
