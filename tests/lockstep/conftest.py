"""A small world for lockstep tests: a kernel, a line server that records what programs say, and programs to run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import Lockstep, Settings, pinned_environment

Answer = Callable[[str], str | None]


@dataclass
class World:
    """One run: start programs, run, then look at ``said`` (instant in ns, program, line) and ``output``."""

    folder: Path
    settings: Settings = field(default_factory=lambda: Settings(tick_ns=0, guard_s=20, start_s=20))
    python: str = sys.executable
    said: list[tuple[int, str, str]] = field(default_factory=list)
    output: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    ended_at: dict[str, int] = field(default_factory=dict)
    stream_limit: int = 1 << 16
    answer: Answer = lambda line: None

    def __post_init__(self) -> None:
        self.kernel = Kernel()
        self.lockstep = Lockstep(self.kernel, self.settings, on_exit=lambda p: self._ended(p))
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.port = 0
        self._all_ended = asyncio.Event()

    def _ended(self, process: Any) -> None:
        self.ended_at[process.name] = self.kernel.now_ns
        child = self.children.get(process.name)
        if child is not None:
            self.codes[process.name] = child.wait()
            self.output[process.name] = (self.folder / f"{process.name}.out").read_text()
        if len(self.codes) == len(self.children):
            self._all_ended.set()

    def program(
        self, name: str, text: str, *, python: str | None = None, flags: tuple[str, ...] = (), **env: str
    ) -> None:
        """Start a program; it may use PORT, the port of the line server."""
        file = self.folder / f"{name}.py"
        file.write_text(dedent(text))
        rank = len(self.children)
        variables = self.lockstep.enrol(name, rank)
        self.children[name] = child = subprocess.Popen(
            [python or self.python, *flags, str(file)],
            env=pinned_environment(os.environ, variables | {"PORT": str(self.port)} | env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / f"{name}.out").open("w"),
            stderr=subprocess.STDOUT,
        )
        self.lockstep.launched(name, child.pid)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = "?"
        try:
            while line := await reader.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("I am "):
                    who = text[5:]
                self.said.append((self.kernel.now_ns, who, text))
                reply = self.answer(text)
                if reply is not None:
                    writer.write(f"{reply}\n".encode())
                    await writer.drain()
        except ConnectionError as error:
            self.said.append((self.kernel.now_ns, who, f"({type(error).__name__})"))
        else:
            self.said.append((self.kernel.now_ns, who, "(end)"))
        finally:
            writer.close()

    def run(self, start: Callable[[], Any], *, until_s: float | None = None) -> "World":
        """Open the server, call ``start`` (which launches programs), run until all have ended or ``until_s``."""

        async def main() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=self.stream_limit)
            self.port = server.sockets[0].getsockname()[1]
            self.lockstep.open_port(self.port)
            start()
            if until_s is not None:
                await asyncio.sleep(until_s)
            else:
                self._all_ended.clear()
                await self._all_ended.wait()
                await asyncio.sleep(0.25)
            server.close()

        self.kernel.run(main())
        return self

    def close(self) -> None:
        self.lockstep.close()
        for child in self.children.values():
            if child.poll() is None:
                child.kill()
                child.wait()
        self.kernel.close()

    def lines(self, name: str) -> list[str]:
        """The lines that program ``name`` printed."""
        return self.output[name].splitlines()


MakeWorld = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes worlds, each in a folder of its own; all are closed at the end."""
    made: list[World] = []

    def make(**values: Any) -> World:
        folder = tmp_path / f"world{len(made)}"
        folder.mkdir()
        made.append(World(folder, **values))
        return made[-1]

    yield make
    for one in made:
        one.close()
