"""One program of any kind on a bench: started as it is, it finds the instruments where it looks for them.

In virtual time it lives on the simulated clock (see docs/lockstep.md), so its sleeps and timeouts cost nothing, and
addresses that are built into it lead to the bench: those of its TCPIP resources, and the instruments' usual ports.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.cell.addresses import fixed_addresses, variable_of
from drycell.sim.cell.instruments import InstrumentServer
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import ServedBench
from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import Finding, Lockstep, Settings, pinned_environment, private_folder, visa_environment

NAME = "script"


@dataclass(frozen=True, slots=True)
class Script:
    """A command line: interpreter, script and what follows it."""

    python: Path
    arguments: Sequence[str]
    seed: int = 0

    @property
    def command(self) -> list[str]:
        """What is started."""
        return [str(self.python), *self.arguments]


def run_script(
    kernel: Kernel, bench: ServedBench, script: Script, *, say: Callable[[str], None], journalled: bool = False
) -> int:
    """Run ``script`` against ``bench`` to its end; returns its exit code, negative for a signal.

    ``say`` gets what somebody should know, one line each. ``journalled``: every message goes to the kernel's journal.
    Raises DrycellError when it cannot be started or cannot live on the simulated clock.
    """
    record = kernel.journal.record if journalled else lambda *_, **__: 0
    servers = {name: InstrumentServer(name, one, record) for name, one in bench.served.items()}
    run = _Run(kernel, bench, script, servers, say)
    return kernel.run(run.main())


class _Run:
    def __init__(
        self,
        kernel: Kernel,
        bench: ServedBench,
        script: Script,
        servers: Mapping[str, InstrumentServer],
        say: Callable[[str], None],
    ) -> None:
        self._kernel = kernel
        self._bench = bench
        self._script = script
        self._servers = servers
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[int]

    async def main(self) -> int:
        """From the first port to the last."""
        self._ended = asyncio.get_running_loop().create_future()
        lockstep = self._lockstep() if self._kernel.pace.is_virtual else None
        try:
            for server in self._servers.values():
                await server.start()
            if lockstep is not None:
                self._map_addresses(lockstep)
            self._start(lockstep)
            return await self._ended
        finally:
            self._kill()
            if lockstep is not None:
                lockstep.close()
            for server in self._servers.values():
                await server.stop()

    def _lockstep(self) -> Lockstep:
        def found(finding: Finding) -> None:
            if finding.process == NAME or finding.kind == "outside":
                self._say(f"{finding.process}: {finding.text}")

        return Lockstep(
            self._kernel,
            Settings(seed=self._script.seed),
            on_exit=lambda process: self._over() if process.name == NAME else None,
            on_finding=found,
        )

    def _map_addresses(self, lockstep: Lockstep) -> None:
        ports = {name: int(server.address.rpartition(":")[2]) for name, server in self._servers.items()}
        for port in ports.values():
            lockstep.open_port(port)
        for name, usual in self._bench.ports.items():
            if usual:
                for host in ("127.0.0.1", "localhost"):
                    lockstep.map_host(host, usual, ports[name])
        for host, port, name in fixed_addresses(self._bench.resources):
            lockstep.map_host(host, port, ports[name])

    def _start(self, lockstep: Lockstep | None) -> None:
        try:
            self._child = subprocess.Popen(
                self._script.command,
                env=self._environment(lockstep),
                stdin=subprocess.DEVNULL if lockstep is not None else None,
                start_new_session=True,
            )
        except OSError as error:
            raise DrycellError(
                f"{self._script.python} cannot be started ({error.strerror}); name another --python"
            ) from None
        if lockstep is not None:
            lockstep.launched(NAME, self._child.pid)
        else:
            self._watch(self._child.pid)

    def _environment(self, lockstep: Lockstep | None) -> dict[str, str]:
        addresses = {name: server.address for name, server in self._servers.items()}
        told = {variable_of(name): address for name, address in addresses.items()}
        told |= visa_environment({resource: addresses[name] for resource, name in self._bench.resources.items()})
        if lockstep is None:
            return {**os.environ, **told, "PYTHONPATH": _path_before(os.environ.get("PYTHONPATH"))}
        told |= lockstep.enrol(NAME, 0)
        told["PYTHONPATH"] = _path_before(os.environ.get("PYTHONPATH"))
        return pinned_environment(os.environ, told)

    def _watch(self, pid: int) -> None:
        descriptor, loop = os.pidfd_open(pid), asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._over()

        loop.add_reader(descriptor, ended)

    def _over(self) -> None:
        assert self._child is not None
        if not self._ended.done():
            self._ended.set_result(self._child.wait())

    def _kill(self) -> None:
        if self._child is None:
            return
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()


def _path_before(own: str | None) -> str:
    """The private folder before what the user has on PYTHONPATH."""
    return os.pathsep.join([str(private_folder()), *([own] if own else [])])
