"""A program started once for many runs: interpreter, shim and first imports are there, and each launch is a fork.

Rules:
1. Before the fork only the imports run with which the script begins, in their order (``drycell.sim.cell.warm`` reads
   them off it); the forked process then runs the whole script, as a process started cold does. What an earlier run of
   the program imported later on is imported too, where that asks for nothing and brings nothing else in.
2. What imports can learn of one run is watched. The clock and random bytes that known modules keep are given to them
   again after the fork, as they would have met them there; whoever else asks for something that differs between runs
   makes the program unfit for warm starts, and says so.
3. The variables of the environment that imports have looked at must be the same at every launch.
4. Everything else that tells one run from another is made after the fork: control socket, seed, clock, process id,
   arguments, folder, descriptors. Threads and connections cannot be made before it.

Talk is one JSON object per line, as with the watcher: {"id", "argv", "cwd", "env", "stdout", "stderr"} forks,
{"kill", "signal", "group"} signals, {"finish"} kills every descendant. Back come {"asked"} or {"unfit"} once, {"id",
"pid", "aslr"} per launch, {"exit", "code"} per program, {"finished": what one of them has imported, or null} when
nothing is left.
"""

from __future__ import annotations

import ctypes
import json
import os
import posix
import sys

from . import baton, clocks, control, doors, entropy, imports, real, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
SIGKILL = 9
_OURS = ("DRYCELL_WARM", "DRYCELL_LOCKSTEP")
SAME = ("tick_ns", "uptime_ns", "hostname", "cpus")  # settings that imports may have met
_libc = ctypes.CDLL(None, use_errno=True)
_reads_before = 0
_forked: dict[str, Any] = {}  # modules that were there before the fork


def provisional() -> dict[str, Any]:
    """The settings in place of CONFIG until the fork."""
    control.configure(json.loads(os.environ["DRYCELL_WARM"])["settings"])
    import faulthandler
    import fcntl
    import signal

    assert faulthandler and fcntl and signal  # imported where ``control.offer_stacks`` imports them in a cold start
    return control.settings


# -- after the fork


class Nursery:
    """The process that waits and forks."""

    def __init__(self, link: Any, watch: imports.Watch, told: dict[str, Any]) -> None:
        self.link = link
        self.watch = watch
        self.told = told
        self.bytes_drawn, self.readings = entropy._counter, baton.reads - _reads_before
        self.programs: dict[int, tuple[int, int]] = {}  # id -> (pid, pidfd)
        self.modules = set(sys.modules)
        _forked.update(sys.modules)
        self.notes = control.out_of_the_way(os.memfd_create("notes"))
        self.libraries = tuple(f"{folder}/" for folder in sys.path if folder.startswith("/"))

    def serve(self) -> Callable[[], None] | None:
        """Until the link ends (None), or, in a forked process, what it has to do."""
        buffer = b""
        while True:
            poller = real.poll()
            poller.register(self.link, real.POLLIN)
            for _, fd in self.programs.values():
                poller.register(fd, real.POLLIN)
            ready = {fd for fd, _ in poller.poll()}
            self.reap()
            if self.link.fileno() not in ready:
                continue
            data = self.link.recv(1 << 16)
            if not data:
                self.finish()
                return None
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                work = self.obey(json.loads(line))
                if work is not None:
                    return work

    def obey(self, order: dict[str, Any]) -> Callable[[], None] | None:
        if "kill" in order:
            pid, _ = self.programs.get(order["kill"], (0, 0))
            if pid:
                try:
                    (posix.killpg if order["group"] else real.kill)(pid, order["signal"])
                except OSError:
                    pass  # it has just ended; its exit is on the way
            return None
        if "finish" in order:
            self.finish()
            self.say({"finished": self.heard()})
            return None
        pid = real.fork()
        if not pid:
            self.link.close()
            for _, fd in self.programs.values():
                posix.close(fd)
            return lambda: become(order, self)
        self.programs[order["id"]] = pid, os.pidfd_open(pid)
        self.say({"id": order["id"], "pid": pid, "aslr": not control._fixed_addresses()})
        return None

    def asked(self) -> dict[str, str | None]:
        """What has to be the same in the environment of every launch: name -> value, None for a missing one.

        Left out is what the interpreter itself has set (PEP 538), as it will again.
        """
        found = {os.fsdecode(key): met for key, met in self.watch.environment.asked.items()}
        own = {name for name in found if name in os.environ and name not in self.told["given"]}
        return {
            "DRYCELL_DEBUG": None,  # the shim has looked for it
            **{name: None if met is None else os.fsdecode(met) for name, met in found.items() if name not in own},
        }

    def variables(self, environment: dict[str, str]) -> dict[str, str]:
        """``environment`` as it is after these imports in a process that was started with it."""
        from_outside = {*self.told["given"], *_OURS}
        own = {name: value for name, value in os.environ.items() if name not in from_outside}
        found = {**own, **environment}
        for key, value in self.watch.environment.changed.items():
            found.pop(os.fsdecode(key), None)
            if value is not None:
                found[os.fsdecode(key)] = os.fsdecode(value)
        return found

    def reap(self) -> bool:
        """Collect whatever has ended; False when there is no child at all."""
        numbers = {pid: number for number, (pid, _) in self.programs.items()}
        while True:
            try:
                pid, status = real.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid in numbers:
                _, fd = self.programs.pop(numbers[pid])
                posix.close(fd)
                self.say({"exit": numbers[pid], "code": posix.waitstatus_to_exitcode(status)})

    def heard(self) -> Any:
        """The first thing that a program has noted, None when none has."""
        noted = os.pread(self.notes, posix.fstat(self.notes).st_size, 0)
        return json.loads(noted.split(b"\n")[0]) if noted else None

    def finish(self) -> None:
        """Kill every descendant; orphans come to this process, so one layer after the other."""
        while self.reap():
            with open(f"/proc/self/task/{real.getpid()}/children") as file:
                children = file.read().split()
            for pid in children:
                try:
                    real.kill(int(pid), SIGKILL)
                except OSError:
                    pass
            real.sleep(0.0005)

    def say(self, message: dict[str, Any]) -> None:
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the simulator is gone; the loop sees it too


def become(order: dict[str, Any], nursery: Nursery) -> None:
    """Be the program that ``order`` asks for, in the state in which its imports leave a process started for it."""
    posix.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    for number, place in ((1, order["stdout"]), (2, order["stderr"])):
        fd = posix.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(fd, number)
        posix.close(fd)
    posix.chdir(order["cwd"])
    variables = nursery.variables(order["env"])
    for name in [name for name in os.environ if name not in variables]:
        del os.environ[name]
    os.environ.update(variables)
    before = {name: control.settings[name] for name in SAME}
    baton.clock = _reads_before * baton.tick
    settings = control.connect(
        variables["DRYCELL_LOCKSTEP"], variables.get("DRYCELL_TOKEN", ""), variables.get("DRYCELL_NAME", "")
    )
    if before != {name: settings[name] for name in SAME}:
        raise wire.WireError("a warm program met other settings than its imports did")
    clocks.epoch_ns = int(settings["epoch_ns"])
    entropy.identify(settings)
    control.offer_stacks()
    control.first_run()
    doors.open_doors(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    _tell_again(nursery)
    try:
        _run(order["argv"][1:])
    finally:
        if nursery.told["later"] is None:
            _note_later_ones(nursery, variables)


def _note_later_ones(nursery: Nursery, variables: dict[str, str]) -> None:
    """Note what the program has imported since the fork, and of the variables that it has changed."""
    found = imports.new_modules(nursery.modules)
    told = {
        "modules": {name: file for name, file in found.items() if file.startswith(nursery.libraries)},
        "changed": [name for name, _ in variables.items() ^ os.environ.items()],
    }
    os.write(nursery.notes, json.dumps(told).encode() + b"\n")


def _tell_again(nursery: Nursery) -> None:
    """Clock and random bytes, to those who met those of no run at all; then as if the imports had run just now."""
    began, polls = baton.clock, baton.current.polls
    for name, number in nursery.watch.clock_readers:
        baton.clock = began + (number - _reads_before - 1) * baton.tick
        imports.CLOCKS[name]()
    for seeding in entropy.seedings:
        seeding.again()
    baton.clock = began + nursery.readings * baton.tick
    baton.reads, baton.current.polls = _reads_before + nursery.readings, polls
    entropy._counter = nursery.bytes_drawn


def _run(argv: list[str]) -> None:
    """What the interpreter does with ``python script args``."""
    import builtins
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    place = os.path.join(os.getcwd(), argv[0])
    sys.argv = list(argv)
    sys.orig_argv = [sys.orig_argv[0], *argv]
    sys.path.insert(0, os.path.dirname(os.path.realpath(place)))
    module: Any = ModuleType("__main__")
    module.__file__, module.__cached__, module.__builtins__ = place, None, builtins
    module.__loader__, module.__annotations__ = SourceFileLoader("__main__", place), {}
    sys.modules["__main__"] = module
    try:
        with open(place, "rb") as file:
            code = compile(file.read(), place, "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        trace = error.__traceback__
        sys.excepthook(type(error), error, trace and trace.tb_next)
        raise SystemExit(1) from None


def _spare_modules() -> None:
    """Keep what was imported before the fork from being taken down at the end, which would copy all its pages."""
    spared = [sys.modules.pop(name, None) for name in _forked if name not in ("builtins", "sys")]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(spared))


def main() -> None:
    """``python -c "from drycell_shim import forkserver; forkserver.main()"`` in the environment of a launch."""
    global _reads_before
    told = json.loads(os.environ["DRYCELL_WARM"])
    if sys.path[:1] == [""]:
        del sys.path[0]
    link = _connected(told["socket"])
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _reads_before = baton.reads
    import atexit

    atexit.register(_spare_modules)  # before all others, so that it comes last
    try:
        with imports.Watch() as watch:
            for statement in told["imports"]:
                exec(compile(statement, "<imports>", "exec", dont_inherit=True), {"__name__": "__main__"})
        watch.judge()
        if told["later"] is not None:
            imports.import_later_ones(told["later"], watch)
    except imports.UnfitError as error:
        _give_up(link, str(error))
    except BaseException as error:  # the program meets it again when it is started cold
        _give_up(link, f"its first imports fail ({type(error).__name__}: {error})")
    import gc

    gc.freeze()  # a collection in a forked process would touch, and so copy, every page
    nursery = Nursery(link, watch, told)
    nursery.say({"asked": nursery.asked()})
    work = nursery.serve()
    if work is None:
        os._exit(0)
    work()


def _give_up(link: Any, reason: str) -> None:
    link.sendall(json.dumps({"unfit": reason}).encode() + b"\n")
    os._exit(0)


def _connected(place: str) -> Any:
    import _socket

    low = real.Socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    wire.through_folder(place, low.connect)
    return real.Socket(fileno=control.out_of_the_way(low.detach()))
