"""Random exchanges between several many-threaded programs and the simulator: no advance of the clock misses a byte.

``DRYCELL_EXCHANGES`` sets how many (default 3,000).
"""

import asyncio
import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import Lockstep, Settings, pinned_environment

PROGRAM = Path(__file__).parent / "programs" / "chatter.py"
EXCHANGES = int(os.environ.get("DRYCELL_EXCHANGES", "3000"))
PROCESSES, THREADS = 3, 4


class Witness(Lockstep):
    """Looks, independently of all counters, at what the operating system holds whenever the clock arrives somewhere."""

    advances_seen = 0
    in_flight = 0

    def fire(self, now_ns: int) -> None:
        ahead = {ports for p in self.living() if p.held is not None for ports in p.connections}
        for connection in self.gate.connections:
            if connection.ports in ahead:
                continue  # its program slept on below the horizon; what it sent belongs to a later instant
            if connection.fd >= 0 and not connection.closed:
                waiting = struct.unpack("i", fcntl.ioctl(connection.fd, termios.FIONREAD, b"\0" * 4))[0]
                key = self.kernel.loop.selector.get_map().get(connection.fd)
                if waiting and key is not None and key.events & 1:
                    self.in_flight += 1
        self.advances_seen += 1
        super().fire(now_ns)


def converse(seed: int, exchanges: int) -> tuple[str, int, int, list[str], int]:
    kernel = Kernel()
    done = asyncio.Event()
    children: dict[str, subprocess.Popen[str]] = {}
    rng = random.Random(seed)

    def ended(process: Any) -> None:
        if all(p.gone for p in witness.processes) and len(witness.processes) == PROCESSES:
            done.set()

    witness = Witness(kernel, Settings(seed=seed, guard_s=60), on_exit=ended)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            kernel.journal.record("heard", "server", size=len(line), head=line[:12].decode())
            delay = rng.choice((0.0, 0.0, 0.0, 1e-6, 0.002, 0.25))
            if delay:
                await asyncio.sleep(delay)
            writer.write(b"y" * int(line.split(b" ")[0]))
            if rng.random() < 0.2:
                await asyncio.sleep(0.001)
            writer.write(b"\n")
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, family=socket.AF_INET)
        port = server.sockets[0].getsockname()[1]
        witness.open_port(port)
        per_thread = exchanges // (PROCESSES * THREADS)
        for number in range(PROCESSES):
            name = f"p{number}"
            words = [str(port), str(seed + number), str(THREADS), str(per_thread)]
            children[name] = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, str(PROGRAM), *words],
                env=pinned_environment(os.environ, witness.enrol(name, number)),
                stdout=subprocess.PIPE,
                text=True,
            )
            witness.launched(name, children[name].pid)
        await done.wait()
        server.close()

    try:
        kernel.run(main())
        said = [child.communicate()[0].strip() for child in children.values()]
        return kernel.journal.sha256, witness.advances_seen, witness.in_flight, said, kernel.journal.count
    finally:
        witness.close()
        for child in children.values():
            child.kill()
            child.wait()
        kernel.close()


def test_no_advance_of_the_clock_misses_a_byte() -> None:
    _, advances, in_flight, said, heard = converse(1, EXCHANGES)
    each = EXCHANGES // (PROCESSES * THREADS) * THREADS
    assert said == [str(each)] * PROCESSES
    assert heard == each * PROCESSES
    assert advances > EXCHANGES / 4
    assert in_flight == 0


def test_random_exchanges_repeat_byte_by_byte() -> None:
    first, second = converse(2, 1200), converse(2, 1200)
    assert first == second
