"""How control's programs come to life: modelled on the kernel, or as real processes."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import AnyBroker
from drycell.sim.cell.control import Running, describe_exit
from drycell.sim.cell.launcher import Launcher, LaunchRequest, Process
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Event, Kernel, ns
from drycell.sim.lockstep import Lockstep, LockstepError

Json = dict[str, Any]
OnExit = Callable[[int, str], None]
LAST_WORDS_CHARACTERS = 300
LAST_WORDS_BYTES = 65_536
RUN = "{run}"
"""What stands for the run directory in messages and journal, so that equal runs are equal bytes."""


class _Endings:
    """What faults have decided about the next end of a site's program: an exit code, last words, or both."""

    def __init__(self, record: Callable[..., object]) -> None:
        self._record = record
        self._forged: dict[str, tuple[int | None, str]] = {}

    def forge(self, site: str, code: int | None, last_words: str) -> None:
        self._forged[site] = (code, last_words)

    def of(self, site: str, code: int, last_words: str) -> tuple[int, str]:
        if site not in self._forged:
            return code, last_words
        forged, words = self._forged.pop(site)
        if forged is not None:
            self._record("effect", "timeline", fault="exit", site=site, true_exit_code=code)
        return (code if forged is None else forged), words or last_words


class InProcess(Protocol):
    """A program without a process: what happens to processes happens to it by these methods."""

    was_killed: bool

    def kill(self) -> None: ...
    def end(self, code: int, last_words: str) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class ModelPrograms:
    """Programs of rung model. ``make(site, bin_table, on_exit)`` builds one."""

    def __init__(
        self, kernel: Kernel, make: Callable[[str, Mapping[int, tuple[int, ...]], OnExit], InProcess]
    ) -> None:
        self._kernel = kernel
        self._make = make
        self.running: dict[str, InProcess] = {}
        self.endings = _Endings(kernel.journal.record)

    def start(self, site: str, params: Json, on_exit: OnExit) -> Running:
        """Start the model of ``site``'s program."""
        table = {int(hard): tuple(int(soft) for soft in softs) for hard, softs in params["bin_table"].items()}
        record = self._kernel.journal.record
        record("launch", f"program{site}", script=params["testapp_script_path"])

        def ended(code: int, last_words: str) -> None:
            if self.running.get(site) is program:
                del self.running[site]
            code, last_words = self.endings.of(site, code, last_words)
            record("exit", f"program{site}", exit_code=code, **({"wanted": True} if program.was_killed else {}))
            on_exit(code, last_words)

        program = self._make(site, table, ended)
        self.running[site] = program
        return program

    def signal(self, site: str, number: int) -> bool:
        """Do what the signal does to a program; False when none runs. Those that Python ignores do nothing."""
        program = self.running.get(site)
        if program is None:
            return False
        if number == signal.SIGSTOP:
            program.freeze()
        elif number == signal.SIGCONT:
            program.thaw()
        elif number not in _IGNORED:
            program.end(0 if number == signal.SIGINT else -number, "")  # the real one ends well on SIGINT
        return True

    def end(self, site: str, code: int, last_words: str) -> bool:
        """End it at once with an exit code; False when none runs."""
        program = self.running.get(site)
        if program is not None:
            program.end(code, last_words)
        return program is not None

    def write_error(self, site: str, count: int) -> bool:
        """Its standard error gets ``count`` bytes, which nobody reads; False when none runs."""
        return site in self.running


_IGNORED = {signal.SIGPIPE, signal.SIGCHLD}


class _RealProgram:
    def __init__(self, process: Process, lockstep: Lockstep | None, name: str) -> None:
        self.process = process
        self.was_killed = False
        self._lockstep = lockstep
        self._name = name

    def kill(self) -> None:
        self.was_killed = True
        if self._lockstep is None:
            self.process.kill(group=True)
        else:
            self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Deliver a signal; in virtual time at this very instant, and a stopped program lets time pass by."""
        try:
            if self._lockstep is None:
                self.process.kill(number)
            elif number == signal.SIGSTOP:
                self._lockstep.freeze(self._name)
            elif number == signal.SIGCONT:
                self._lockstep.thaw(self._name)
            else:
                self._lockstep.kill(self._name, number)
        except LockstepError:  # it has just ended, or is not of our kind
            self.process.kill(number)


class ProcessPrograms:
    """Real programs, started as control starts them, in the run directory's private copy of their project."""

    def __init__(
        self,
        kernel: Kernel,
        launcher: Launcher,
        broker: AnyBroker,
        *,
        python: Path,
        topics: Topics,
        environment: Callable[[str], Mapping[str, str]],
        lockstep: Lockstep | None = None,
    ) -> None:
        self._kernel = kernel
        self._launcher = launcher
        self._broker = broker
        self._python = python
        self._environment = environment
        self._lockstep = lockstep
        self._topics = topics
        self._silent: set[str] = set()
        self.running: dict[str, _RealProgram] = {}
        self.endings = _Endings(kernel.journal.record)
        kernel.journal.watch(self._listen, "message")

    def start(self, site: str, params: Json, on_exit: OnExit) -> Running:
        """Start the program of ``site``; raises DrycellError when the system refuses."""
        request = LaunchRequest(
            site=site,
            python=self._python,
            script=params["testapp_script_path"],
            cwd=Path(params["cwd"].replace(RUN, str(self._launcher.run_dir), 1)),
            device_id=self._topics.device,
            broker_host=self._broker.host,
            broker_port=self._broker.port,
            bin_table=params["bin_table"],
            script_args=params["testapp_script_args"],
            extra_env={**self._environment(site), **self._enrol(site)},
            aslr=self._lockstep is None,
        )
        record = self._kernel.journal.record

        def ended(code: int) -> None:
            if self.running.get(site) is program:
                del self.running[site]
            code, last_words = self.endings.of(site, code, _last_words(program.process.stderr))
            facts: Json = {"wanted": True} if program.was_killed else {}
            if last_words and code != 0:
                facts["stderr"] = last_words
            record("exit", f"program{site}", exit_code=code, **facts)
            if site in self._silent and not program.was_killed:
                self._tell_of_silent_end(site, code, last_words)
            on_exit(code, last_words)

        record("launch", f"program{site}", script=params["testapp_script_path"])
        self._silent.add(site)
        program = _RealProgram(self._launch(request, ended), self._lockstep, f"program{site}")
        self.running[site] = program
        return program

    def _enrol(self, site: str) -> Mapping[str, str]:
        return {} if self._lockstep is None else self._lockstep.enrol(f"program{site}", int(site))

    def _launch(self, request: LaunchRequest, ended: Callable[[int], None]) -> Process:
        """Start the process; in virtual time, time waits until it has attached."""
        try:
            process = self._launcher.launch(request, ended)
        except DrycellError:
            if self._lockstep is not None:
                self._lockstep.withdraw(f"program{request.site}")
            raise
        if self._lockstep is not None:
            self._lockstep.launched(f"program{request.site}", process.pid)
        return process

    def _listen(self, event: Event) -> None:
        """A program that has announced a state is silent no more."""
        if self._silent:
            topic = event.fields["topic"]
            self._silent -= {site for site in self._silent if topic == self._topics.program("status", site)}

    def _tell_of_silent_end(self, site: str, code: int, last_words: str) -> None:
        said = f"; its last words were {last_words!r}" if last_words else ""
        text = f"the program of site {site} ended with {describe_exit(code)} before it announced any state{said}"
        advice = f"start it by hand as in the launch event, and read sites/{site}/stderr.txt of the run directory"
        self._kernel.journal.record("problem", f"program{site}", text=f"{text}; {advice}")

    def signal(self, site: str, number: int) -> bool:
        """Send a signal to the program of ``site``; False when none runs."""
        program = self.running.get(site)
        if program is not None:
            program.signal(number)
        return program is not None

    def end(self, site: str, code: int, last_words: str) -> bool:
        """End it at once; the exit code that everybody sees is ``code``. False when none runs."""
        program = self.running.get(site)
        if program is not None:
            self.endings.forge(site, code, last_words)
            program.signal(signal.SIGKILL)
        return program is not None

    def write_error(self, site: str, count: int) -> bool:
        """Append ``count`` bytes to its standard error; False when none runs."""
        program = self.running.get(site)
        if program is not None:
            line = b"W (0) driver: buffer underrun, retrying\n"
            with program.process.stderr.open("ab") as stderr:
                stderr.write((line * (count // len(line) + 1))[:count])
        return program is not None


class HinderedPrograms:
    """Programs whose next start a fault may delay, or keep from the broker."""

    def __init__(self, kernel: Kernel, inner: ModelPrograms | ProcessPrograms) -> None:
        self._kernel = kernel
        self._inner = inner
        self._hindrances: dict[str, tuple[float | None, Callable[[], None]]] = {}
        self._barred: set[str] = set()

    def hinder(self, site: str, delay_s: float | None, when_met: Callable[[], None]) -> None:
        """The next program of ``site`` comes up ``delay_s`` later; None: the broker never hears it."""
        self._hindrances[site] = delay_s, when_met

    def is_barred(self, site: str) -> bool:
        """Whether the broker must not hear the program that runs on ``site`` now."""
        return site in self._barred

    def start(self, site: str, params: Json, on_exit: OnExit) -> Running:
        """Start the program of ``site``; raises DrycellError when the system refuses."""
        if site not in self._hindrances:
            return self._inner.start(site, params, on_exit)
        delay_s, when_met = self._hindrances.pop(site)
        when_met()
        if delay_s is not None:
            return _Late(self._kernel, delay_s, lambda: self._inner.start(site, params, on_exit), on_exit)

        def ended(code: int, last_words: str) -> None:
            self._barred.discard(site)
            on_exit(code, last_words)

        self._barred.add(site)
        return self._inner.start(site, params, ended)


class _Late:
    """A program that is not there yet."""

    def __init__(self, kernel: Kernel, delay_s: float, start: Callable[[], Running], on_exit: OnExit) -> None:
        self._start = start
        self._on_exit = on_exit
        self._running: Running | None = None
        self._timer = kernel.later(ns(delay_s), self._go)

    def _go(self) -> None:
        try:
            self._running = self._start()
        except DrycellError as error:
            self._on_exit(1, str(error))

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
        else:
            self._timer.cancel()
            self._on_exit(-signal.SIGKILL, "")


def _last_words(stderr: Path) -> str:
    """The last line that says something on ``stderr``."""
    try:
        with stderr.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LAST_WORDS_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:LAST_WORDS_CHARACTERS] if lines else ""
