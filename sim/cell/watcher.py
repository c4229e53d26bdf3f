"""Spawn programs for the simulator and leave none of them behind. Run by path: ``python -I -S watcher.py FD``.

Rules that hold here:
- Standard library only, one thread, Linux only; it imports nothing of drycell.
- It is the reaper of all its descendants (PR_SET_CHILD_SUBREAPER, prctl(2)): a program that forks twice or calls
  setsid comes back to it when its parent dies. So "I have no child" means "nothing is left".
- Talk is one JSON object per line over the socket FD. To it: {"id", "argv", "cwd", "env", "stdout", "stderr",
  "aslr"} spawns; {"kill": id, "signal": n, "group": bool} signals. From it: {"id", "pid", "aslr"} or {"id", "error"},
  and once per program {"exit": id, "code": n} with n negative for a signal; {"fatal"} when it cannot work at all.
- The end of the socket, or of the simulator, is the order to kill every descendant, and then to end.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
PARENT_CHECK_S = 1.0
GIVE_UP_S = 30.0  # a descendant that may not be killed (another user's) or cannot die (stuck in a driver)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.personality.argtypes = [ctypes.c_ulong]


class Watcher:
    """The loop: requests in, programs out, exits reported."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.programs: dict[int, int] = {}  # id -> pid, until reaped
        self.ids: dict[int, int] = {}  # pid -> id
        self.parent = os.getppid()
        self.wake, wake_in = socket.socketpair()
        self.wake.setblocking(False)
        wake_in.setblocking(False)
        self._wake_in = wake_in
        signal.set_wakeup_fd(wake_in.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)

    def run(self) -> None:
        buffer = b""
        while os.getppid() == self.parent:
            ready, _, _ = select.select([self.link, self.wake], [], [], PARENT_CHECK_S)
            if self.wake in ready:
                self.wake.recv(4096)
                self.reap()
            if self.link in ready:
                try:
                    data = self.link.recv(65536)
                except ConnectionError:
                    break
                if not data:
                    break
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))

    def obey(self, order: dict[str, Any]) -> None:
        if "kill" in order:
            pid = self.programs.get(order["kill"])
            if pid:
                try:
                    (os.killpg if order["group"] else os.kill)(pid, order["signal"])
                except OSError:
                    pass  # it has just ended; its exit is on the way
            return
        try:
            pid, fixed = self.spawn(order)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.say({"id": order["id"], "error": str(error)})
            return
        self.programs[order["id"]] = pid
        self.ids[pid] = order["id"]
        self.say({"id": order["id"], "pid": pid, "aslr": not fixed})

    def spawn(self, order: dict[str, Any]) -> tuple[int, bool]:
        watcher = os.getpid()

        def in_child() -> None:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != watcher:
                os._exit(1)

        before = _libc.personality(0xFFFFFFFF)
        fixed = not order["aslr"] and before >= 0 and _libc.personality(before | ADDR_NO_RANDOMIZE) >= 0
        try:
            with open(order["stdout"], "ab") as out, open(order["stderr"], "ab") as err:  # noqa: PTH123
                child = subprocess.Popen(
                    order["argv"],
                    cwd=order["cwd"],
                    env=order["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                    preexec_fn=in_child,
                )
        finally:
            if fixed:
                _libc.personality(before)
        child.returncode = 0  # reaped here, by waitpid(-1), never by subprocess
        return child.pid, fixed

    def reap(self) -> bool:
        """Collect whatever has ended; False when there is no child at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            number = self.ids.pop(pid, None)
            if number is not None:
                del self.programs[number]
                self.say({"exit": number, "code": os.waitstatus_to_exitcode(status)})

    def say(self, message: dict[str, Any]) -> None:
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the simulator is gone; the loop sees it too

    def finish(self) -> None:
        """Kill every descendant: a killed child leaves its own children to this process, so one layer is enough."""
        deadline, pause = time.monotonic() + GIVE_UP_S, 0.0
        while self.reap() and time.monotonic() < deadline:
            for pid in children():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(pause)
            pause = min(pause + 0.0005, 0.05)


def children() -> list[int]:
    """The children of this process: proc(5), /proc/PID/task/TID/children, or the parent column of all stat files."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as file:  # noqa: PTH123
            return [int(pid) for pid in file.read().split()]
    except OSError:
        pass  # a kernel without CONFIG_PROC_CHILDREN
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == me:
            found.append(int(name))
    return found


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[1]))
    link.set_inheritable(False)
    watcher = Watcher(link)
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        watcher.say({"fatal": f"this system gives no child subreaper ({os.strerror(ctypes.get_errno())})"})
        return
    watcher.run()
    watcher.finish()


if __name__ == "__main__":
    main()
