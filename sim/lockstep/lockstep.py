"""Lockstep: real processes on the kernel's clock.

Invariants, checked while running
- I1 after IDLE a process does nothing until RUN; the kernel keeps no process running when it moves the clock.
- I2 bytes of processes are read only while every process is idle (``gate``).
- I3 the clock moves only when every byte that a process sent was read (or its reader is paused) and every byte the
  kernel sent was announced to the process.
- I4 no process sees more bytes than were announced (the shim's half).
- I5 the clock never passes a reported deadline, and no report comes from beyond the horizon its RUN allowed.

Order at one instant: see ``drycell.sim.kernel.loop``. Processes of one superstep run in parallel; they cannot see
each other until all are idle, and what they did takes effect in the order of their ranks.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from drycell.sim.inject.shim import wire
from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import diagnose
from drycell.sim.lockstep.debugging import DebugWish
from drycell.sim.lockstep.errors import DeadlockError, LockstepError, ZenoError
from drycell.sim.lockstep.gate import Gate
from drycell.sim.lockstep.pacing import Pacer
from drycell.sim.lockstep.private import private_folder
from drycell.sim.lockstep.process import Process, Report
from drycell.sim.lockstep.roll import Roll
from drycell.sim.lockstep.settings import Counters, Finding, Settings

FAR_NS = 3_600_000_000_000  # a process that only sleeps reports at least once per simulated hour


class Lockstep:
    """Couples attached processes to ``kernel``. ``on_exit`` is called when a process has ended."""

    def __init__(
        self,
        kernel: Kernel,
        settings: Settings | None = None,
        *,
        on_exit: Callable[[Process], object] | None = None,
        on_finding: Callable[[Finding], object] | None = None,
    ) -> None:
        self.kernel = kernel
        self.settings = settings or Settings()
        self.counters = Counters()
        self.deterministic = True
        self.processes: list[Process] = []  # in rank order, gone ones included
        self._alive: list[Process] = []
        self._exits: list[Process] = []  # ended; told when what they had sent last has been read (data first)
        self._on_exit = on_exit
        self._on_finding = on_finding
        self._ports: set[int] = set()
        self._hosts = self.settings.hosts
        self._instant = -1
        self._steps_here = 0
        self._folder = tempfile.TemporaryDirectory(prefix="drycell-")
        self._roll = Roll(Path(self._folder.name) / "control", self.settings.start_s)
        self._pacer = Pacer(kernel.clock, self._heard)
        self.gate = self._enter(kernel)

    def _enter(self, kernel: Kernel) -> Gate:
        """Put the gate between the loop and its selector, and count the sockets that the loop accepts."""
        gate = kernel.loop.selector.interpose(lambda real: Gate(real, kernel.loop.has_ready))
        kernel.loop.on_socket = gate.adopt
        kernel.attach(self)
        return gate

    # -- enrolment
    def enrol(self, name: str, rank: int) -> dict[str, str]:
        """Expect a process; returns the environment variables to add to the child's. Time waits until it attaches."""
        token = self._roll.expect(name, rank)
        variables = {
            "DRYCELL_LOCKSTEP": str(self._roll.path),
            "DRYCELL_TOKEN": token,
            "DRYCELL_NAME": name,
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(private_folder()),
        }
        if self.settings.fix_addresses:
            variables["DRYCELL_FIX_ADDRESSES"] = "1"
        return variables

    def debugger(self, wish: DebugWish, paths: Sequence[tuple[Path, Path]]) -> dict[str, str]:
        """Variables that let a debugger into a program. ``paths``: (the user's folder, what runs instead)."""
        return wish.environment(Path(self._folder.name), paths)

    def launched(self, name: str, pid: int) -> None:
        """Tell the pid of a process that was just started, so that its early end is noticed."""
        self._roll.launched(name, pid)

    def withdraw(self, name: str) -> None:
        """The start of an enrolled process failed; time need not wait for it."""
        self._roll.withdraw(name)

    def open_port(self, port: int) -> None:
        """A TCP port of the simulator that processes may connect to."""
        self._ports.add(port)
        self._reconfigure()

    def map_host(self, host: str, port: int, to_port: int) -> None:
        """Lead connections to ``host``:``port`` (0: every port) to the simulator's ``to_port``."""
        self._hosts = (*self._hosts, (host, port, "127.0.0.1", to_port))
        self.open_port(to_port)

    def _reconfigure(self) -> None:
        for process in self.living():
            process.send(self._config(process))

    def _config(self, process: Process) -> bytes:
        settings = self.settings
        stacks = Path(self._folder.name) / f"stacks-{process.pid}"
        return diagnose.config_message(
            {
                **settings.of_every_run,
                "epoch_ns": settings.epoch_ns,
                "seed": f"{settings.seed}/{process.name}/{'.'.join(map(str, process.rank))}",
                "pid": 1000 + process.rank[0] if len(process.rank) == 1 else 0,
                "ports": sorted(self._ports),
                "hosts": [list(entry) for entry in self._hosts],
                "stacks": str(stacks),
            }
        )

    # -- what the kernel calls
    def settle(self) -> bool:
        """Run whatever must run before time may move. True when something happened."""
        if self._exits:
            process = self._exits.pop(0)
            if self._on_exit is not None:
                self._on_exit(process)
            return True
        if self._welcome():
            return True
        missing = self.gate.missing()
        if missing is not None:
            self.gate.await_accept(missing)
            return True
        for process in self._alive:
            if process.held is not None and process.has_news():
                raise LockstepError(f"invariant I5: {process.name} ran ahead of something that reached it; a bug")
        self._pacer.look()
        able = [p for p in self._alive if p.able()]
        movers = [p for p in able if p.has_news()]
        if not movers:
            movers = [p for p in able if p.flag(wire.WANTS_ALONE)][:1]
        if movers:
            self._superstep(movers)
            return True
        return self._sweep() or (self._pacer.busy() and self._pacer.wait(self.kernel.loop.selector.next_ns()))

    def next_ns(self) -> int | None:
        """The earliest instant at which a process wants to act."""
        instants = [at for at in (p.next_ns() for p in self._alive) if at is not None]
        if instants:
            return max(min(instants), self.kernel.now_ns)
        if self._alive and not self._pacer.busy() and self._kernel_next() is None:
            raise DeadlockError(diagnose.deadlock(self.kernel.now_ns, self.stacks()))
        return None

    def fire(self, now_ns: int) -> None:
        """Run the processes that are due, after everything else of this instant."""
        self._assert_accounted()
        self.counters.advances += 1
        for process in self.living():
            if process.held is not None and process.held.at_ns <= now_ns:
                process.take(process.held, self.gate)
        due = [p for p in self._alive if p.able() and p.report is not None and 0 <= p.report.deadline_ns <= now_ns]
        if due:
            self._superstep(due)

    # -- faults
    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """SIGKILL at this very instant; any other signal is delivered when its main thread is at a safe point."""
        process = self.process(name)
        if number != signal.SIGKILL:
            process.signals.append(number)
            return
        os.kill(process.pid, number)
        process.await_exit(20.0)
        self._ended(process)

    def freeze(self, name: str) -> None:
        """The process stops for good: nothing runs in it, nothing reaches it, its connections stay open (cable)."""
        self.process(name).frozen = True

    def thaw(self, name: str) -> None:
        """Let a frozen process go on; what has reached it meanwhile it is told before its own time is up."""
        self.process(name).frozen = False
        self.kernel.loop.call_soon(lambda: None)  # back to the loop, which settles before anything fires

    def process(self, name: str) -> Process:
        """The living process called ``name``, waited for when it was just started. LockstepError if there is none."""
        if self._roll.awaited:
            self._welcome()
        for process in self.living():
            if process.name == name:
                return process
        names = ", ".join(p.name for p in self.living()) or "none"
        raise LockstepError(f"no attached process is called {name!r}; there are: {names}")

    def living(self) -> list[Process]:
        """The attached processes that have not ended, in rank order."""
        return list(self._alive)

    def stacks(self) -> dict[str, str]:
        """What every thread of every idle process waits for, with its Python stack."""
        return {p.name: diagnose.query(p) for p in self.living() if not p.running}

    def close(self) -> None:
        """Let go of all processes (they end at once) and of the control socket; idempotent."""
        self.kernel.attach(None)
        self.gate.is_open = True
        for process in self.living():
            process.end()
        self._roll.close()
        self._folder.cleanup()

    # -- how it works
    def _kernel_next(self) -> int | None:
        instants = (self.kernel.loop.next_timer_ns(), self.kernel.clock.next_ns())
        return min((at for at in instants if at is not None), default=None)

    def _horizon(self, runner: Process) -> int:
        """Until when ``runner`` may sleep on its own account: nothing else happens before.

        Where processes may talk through pipes, which nobody counts, every wait is reported; and nobody runs ahead of
        one that waits for its turn at this instant.
        """
        now = self.kernel.now_ns
        open_ends = wire.UNCOVERED | wire.CHILDREN | wire.WANTS_ALONE
        others = [p for p in self._alive if p is not runner]
        if len(runner.rank) > 1 or any(p.computing or p.flag(open_ends) for p in others):
            return now
        instants = [now + FAR_NS]
        following = self._kernel_next()
        if following is not None:
            instants.append(following)
        instants += [at for at in (p.next_ns() for p in others) if at is not None]
        return min(instants)

    def _superstep(self, movers: list[Process]) -> None:
        """RUN ``movers`` in parallel and wait until each is idle again."""
        now = self.kernel.now_ns
        self._count_step(now, movers)
        alone = len(movers) == 1
        horizon = self._horizon(movers[0]) if alone else now
        for process in movers:
            process.stale = False
            process.send_run(now, horizon, alone=alone)
        for process in movers:
            self._collect(process, horizon)
        if any(p.gone or p.flag(wire.RAN) for p in movers):
            for process in self.living():
                if alone and process is movers[0]:
                    continue
                process.stale = True

    def _count_step(self, now: int, movers: Iterable[Process]) -> None:
        if now != self._instant:
            self._instant, self._steps_here = now, 0
        self._steps_here += 1
        self.counters.supersteps += 1
        if self._steps_here > self.settings.zeno:
            names = ", ".join(p.name for p in movers)
            raise ZenoError(
                f"{self.settings.zeno} rounds at {now / 1e9:.9f} s and no end: {names} keep answering each other "
                "in no time; give the link between them a latency above zero"
            )

    def _collect(self, process: Process, horizon: int) -> None:
        """Wait until ``process`` is idle or gone, or has computed for longer than the guard."""
        self.counters.runs += 1
        slices = 0
        while True:
            message = process.receive()
            if message is None:
                slices += 1
                if self._is_overdue(process, slices):
                    return
            elif self._heard(process, message, horizon):
                return

    def _is_overdue(self, process: Process, slices: int) -> bool:
        """Whether time goes on without ``process``, which has run for so many slices; HangError if it must not."""
        guard_s = self.settings.guard_s
        if guard_s is None:
            return False
        if diagnose.sleeps_in_c(process):
            self.counters.blocked.append(diagnose.blocked(process, Path(self._folder.name)))
        if slices * diagnose.SLICE_S < guard_s:
            return False
        if self.settings.on_hang == "fail":
            raise diagnose.hang(process, guard_s, Path(self._folder.name))
        self.deterministic = False
        self._find(Finding("computing", process.name, diagnose.computing(guard_s)))
        self._pacer.leave(process)
        return True

    def _heard(self, process: Process, message: bytes, horizon: int = 0) -> bool:
        """Take one message of a running process; True when it runs no more."""
        if not message:
            process.await_exit(20.0)
            self._ended(process)
            return True
        if wire.check(message) != wire.IDLE:
            self._note(process, message)
            return False
        report = Report.parse(message)
        if report.at_ns > self.kernel.now_ns and not process.computing:
            if report.at_ns >= horizon:
                raise LockstepError(f"{process.name} slept past its horizon; a bug in the shim")
            process.held = report
        else:
            process.take(report, self.gate)
        process.running = process.computing = False
        return True

    def _note(self, process: Process, message: bytes) -> None:
        """LOG and BUSY: keep what they say."""
        if wire.check(message) == wire.BUSY:
            self.deterministic = False
        self._find(Finding(process=process.name, **diagnose.log_content(message)))

    def _find(self, finding: Finding) -> None:
        self.counters.log.append(finding)
        if self._on_finding is not None:
            self._on_finding(finding)

    def _ended(self, process: Process) -> None:
        process.end()
        self._alive = [p for p in self.processes if not p.gone]
        self._roll.ended(process.pid)
        for other in self.living():
            other.stale = True
        self._exits.append(process)

    def _welcome(self) -> bool:
        """Take in processes that said HELLO, waiting for those that are expected. True if there was one."""
        arrived = self._roll.arrivals(self.processes)
        for process in arrived:
            diagnose.slice_receiving(process.control)
            self.processes.append(process)
            self.processes.sort(key=lambda p: p.rank)
            self._alive = [p for p in self.processes if not p.gone]
            process.send(self._config(process))
            self._collect_start(process)
            if process.hello.get("aslr") and self.settings.fix_addresses:
                text = "this system does not let addresses be fixed; a program that orders objects by them may vary"
                self._find(Finding("addresses", process.name, text))
        return bool(arrived)

    def _collect_start(self, process: Process) -> None:
        """The first IDLE, before any of the program ran."""
        self._collect(process, self.kernel.now_ns)

    def _sweep(self) -> bool:
        """Processes that wait for what no counter covers look once more; live foreign children hold time still."""
        delay_ms = 1.0
        waited_ms = 0.0
        while True:
            movers = [
                p for p in self.living() if p.stale and p.able() and (p.flag(wire.UNCOVERED) or p.flag(wire.CHILDREN))
            ]
            if movers:
                self.counters.pokes += 1
                self._superstep(movers)
                if any(p.gone or p.flag(wire.RAN) or p.held is not None for p in movers):
                    return True
            foreign = self._roll.foreign(self.living())
            if not foreign:
                return False
            self._roll.await_children(foreign, delay_ms)
            if self._welcome():
                return True
            waited_ms, delay_ms = waited_ms + delay_ms, min(delay_ms * 2, 20.0)
            if self.settings.guard_s is not None and waited_ms > self.settings.guard_s * 1000:
                raise LockstepError(diagnose.foreign(foreign, self.settings.guard_s))
            for process in self.living():
                process.stale = process.stale or process.flag(wire.CHILDREN)

    def _assert_accounted(self) -> None:
        """I1 and I3, checked at every advance that runs processes."""
        for process in self.living():
            if process.running and not process.computing:
                raise LockstepError(f"invariant I1: {process.name} still runs while the clock moves")
            if not process.able():
                continue
            for connection in process.connections.values():
                if connection.news():
                    raise LockstepError(f"invariant I3: {process.name} was not told of bytes sent to it")
        for connection in self.gate.connections:
            if self.gate.readable(connection):
                raise LockstepError(f"invariant I3: bytes sent to port {connection.ports[1]} were not read")
