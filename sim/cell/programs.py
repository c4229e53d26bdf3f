"""How control's programs come to life: modelled on the kernel, or as real processes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Broker
from drycell.sim.cell.control import Running, describe_exit
from drycell.sim.cell.launcher import Launcher, LaunchRequest, Process
from drycell.sim.cell.sequencer import ModelledSequencer
from drycell.sim.kernel import Event, Kernel

Json = dict[str, Any]
OnExit = Callable[[int, str], None]
LAST_WORDS_CHARACTERS = 300
RUN = "{run}"
"""What stands for the run directory in messages and journal, so that equal runs are equal bytes."""


class ModelPrograms:
    """Modelled programs. ``make(site, bin_table, on_exit)`` builds one."""

    def __init__(
        self, kernel: Kernel, make: Callable[[str, Mapping[int, tuple[int, ...]], OnExit], ModelledSequencer]
    ) -> None:
        self._kernel = kernel
        self._make = make
        self.running: dict[str, ModelledSequencer] = {}

    def start(self, site: str, params: Json, on_exit: OnExit) -> Running:
        """Start the model of ``site``'s program."""
        table = {int(hard): tuple(int(soft) for soft in softs) for hard, softs in params["bin_table"].items()}
        record = self._kernel.journal.record
        record("launch", f"program{site}", script=params["testapp_script_path"])

        def ended(code: int, last_words: str) -> None:
            program = self.running.pop(site)
            record("exit", f"program{site}", exit_code=code, **({"wanted": True} if program.was_killed else {}))
            on_exit(code, last_words)

        self.running[site] = self._make(site, table, ended)
        return self.running[site]

    def signal(self, site: str, number: int) -> None:
        """A modelled program knows no signals but death."""
        program = self.running.get(site)
        if program is not None:
            program.kill()


class _RealProgram:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.was_killed = False

    def kill(self) -> None:
        self.was_killed = True
        self.process.kill(group=True)


class ProcessPrograms:
    """Real programs, started as control starts them, in the run directory's private copy of their project."""

    def __init__(
        self,
        kernel: Kernel,
        launcher: Launcher,
        broker: Broker,
        *,
        python: Path,
        topics: Topics,
        environment: Callable[[], Mapping[str, str]],
    ) -> None:
        self._kernel = kernel
        self._launcher = launcher
        self._broker = broker
        self._python = python
        self._environment = environment
        self._topics = topics
        self._silent: set[str] = set()
        self.running: dict[str, _RealProgram] = {}
        kernel.journal.watch(self._listen)

    def start(self, site: str, params: Json, on_exit: OnExit) -> Running:
        """Start the program of ``site``; raises DrycellError when the system refuses."""
        request = LaunchRequest(
            site=site,
            python=self._python,
            script=params["testapp_script_path"],
            cwd=Path(params["cwd"].replace(RUN, str(self._launcher.run_dir), 1)),
            device_id=self._topics.device,
            broker_host="127.0.0.1",
            broker_port=self._broker.port,
            bin_table=params["bin_table"],
            script_args=params["testapp_script_args"],
            extra_env=self._environment(),
        )
        record = self._kernel.journal.record

        def ended(code: int) -> None:
            program = self.running.pop(site)
            last_words = _last_words(program.process.stderr)
            facts: Json = {"wanted": True} if program.was_killed else {}
            if last_words and code != 0:
                facts["stderr"] = last_words
            record("exit", f"program{site}", exit_code=code, **facts)
            if site in self._silent and not program.was_killed:
                self._tell_of_silent_end(site, code, last_words)
            on_exit(code, last_words)

        record("launch", f"program{site}", script=params["testapp_script_path"])
        self._silent.add(site)
        program = _RealProgram(self._launcher.launch(request, ended))
        self.running[site] = program
        return program

    def _listen(self, event: Event) -> None:
        """A program that has announced a state is silent no more."""
        if self._silent and event.kind == "message":
            topic = event.fields["topic"]
            self._silent -= {site for site in self._silent if topic == self._topics.program("status", site)}

    def _tell_of_silent_end(self, site: str, code: int, last_words: str) -> None:
        said = f"; its last words were {last_words!r}" if last_words else ""
        text = f"the program of site {site} ended with {describe_exit(code)} before it announced any state{said}"
        advice = f"start it by hand as in the launch event, and read sites/{site}/stderr.txt of the run directory"
        self._kernel.journal.record("problem", f"program{site}", text=f"{text}; {advice}")

    def signal(self, site: str, number: int) -> None:
        """Send a signal to the program of ``site``."""
        program = self.running.get(site)
        if program is not None:
            program.was_killed = True
            program.process.kill(number)


def _last_words(stderr: Path) -> str:
    """The last line that says something on ``stderr``."""
    try:
        lines = [line.strip() for line in stderr.read_text("utf-8", "replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1][:LAST_WORDS_CHARACTERS] if lines else ""
