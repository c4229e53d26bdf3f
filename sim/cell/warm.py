"""Warm starts: a program is started once, up to its first imports, and every launch forks it.

``WarmPrograms`` lives as long as its owner wants to run scenarios, and is handed to each run. A journal of a warm
start equals that of a cold start. Where that cannot be promised for a program, it is started cold, and ``reasons``
says why. The second run of a program starts its server anew with what the first one has imported later on. Virtual
time only. The other half is ``drycell.sim.inject.shim.forkserver``.
"""

import ast
import json
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drycell.sim.cell.launcher import STOP_LIMIT_S, inherited_environment, spawn_watcher
from drycell.sim.cell.preflight import Examined, examine
from drycell.sim.inject.shim import wire
from drycell.sim.lockstep import Settings
from drycell.sim.lockstep.private import private_folder

START_LIMIT_S = 60.0
_CODE = "from drycell_shim import forkserver; forkserver.main()"
_Key = tuple[Path, str, tuple[str, ...]]


class WarmPrograms:
    """Fork servers, one for each program met. ``with`` closes them; nothing of them survives its end."""

    def __init__(self) -> None:
        self._servers: dict[_Key, WarmServer] = {}
        self._examined: dict[tuple[Path, Path, bytes], Examined] = {}

    def __enter__(self) -> "WarmPrograms":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all servers; idempotent."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    @property
    def reasons(self) -> dict[str, str]:
        """Script -> why it could not be started warm, when that has happened."""
        return {script: server.reason for (_, script, _), server in self._servers.items() if server.reason}

    def examined(self, python: Path, program: Path) -> Examined:
        """What ``preflight.examine`` says, asked once for each text of a program. Raises DrycellError as it does."""
        try:
            key = python, program, program.read_bytes()
        except OSError:
            return examine(python, program)
        if key not in self._examined:
            self._examined[key] = examine(python, program)
        return self._examined[key]

    def server(self, python: Path, script: str, folder: Path) -> "WarmServer":
        """The server of the program ``script`` in ``folder``."""
        imports = tuple(first_imports(folder / script))
        key = python, script, imports
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = WarmServer(python, imports)
        elif server.is_fit and (server.has_ended or server.has_news):
            server.close()
            server = self._servers[key] = WarmServer(python, imports, server.later)
        return server


class WarmServer:
    """One fork server: a link that takes the orders of a watcher, from one run after the other.

    ``imports``: statements with which the script begins; ``later``: what a program has noted about the modules that
    it imports after them. ``reason``: why some or all launches had to be cold, "" when none had to be.
    """

    def __init__(self, python: Path, imports: Sequence[str], later: dict[str, Any] | None = None) -> None:
        self.later = later
        self.has_news = False  # later is known by now, and the server did not know it when it started
        self.has_ended = not imports
        self.link: socket.socket | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._met: dict[str, str | None] = {}
        self.reason = "" if imports else "it begins with no import of an installed module"
        self.is_fit = False
        if imports:
            self._start(python, imports)

    def _start(self, python: Path, imports: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="drycell-warm-") as folder:
            self._watcher, self._orders = spawn_watcher(Path(folder))
            self.link = self._connected(self._order(Path(folder), python, imports), Path(folder) / "link")
            answer = self._first_word()
            self.reason = str(answer.get("unfit", ""))
            self._met = answer.get("asked", {})
            self.is_fit = not self.reason
            if not self.is_fit:
                self.close()

    def _order(self, folder: Path, python: Path, imports: Sequence[str]) -> dict[str, Any]:
        place = folder / "link"
        environment = environment_of_imports()
        told = {
            "socket": str(place),
            "imports": list(imports),
            "later": self.later,
            "given": sorted(environment),
            "settings": {**Settings().of_every_run, "epoch_ns": Settings().epoch_ns, "seed": "none", "pid": 1},
        }
        return {
            "id": 1,
            "argv": [str(python), "-c", _CODE],
            "cwd": "/",
            "env": {**environment, "DRYCELL_LOCKSTEP": str(place), "DRYCELL_WARM": json.dumps(told)},
            "stdout": os.devnull,
            "stderr": os.devnull,
            "aslr": False,
        }

    def _connected(self, order: dict[str, Any], place: Path) -> socket.socket | None:
        assert self._orders is not None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            wire.through_folder(str(place), listener.bind)
            listener.listen(1)
            self._orders.sendall(json.dumps(order).encode() + b"\n")
            poll = select.poll()
            poll.register(listener, select.POLLIN)
            poll.register(self._orders, select.POLLIN)
            while True:
                ready = {fd for fd, _ in poll.poll(START_LIMIT_S * 1000)}
                if listener.fileno() in ready:
                    return listener.accept()[0]
                word = self._orders.recv(65536) if ready else b""
                if not word or b'"exit"' in word or b'"error"' in word:
                    return None

    def _first_word(self) -> dict[str, Any]:
        if self.link is None:
            return {"unfit": "its interpreter does not come up with the shim"}
        self.link.settimeout(START_LIMIT_S)
        try:
            word = b""
            while not word.endswith(b"\n"):
                part = self.link.recv(65536)
                if not part:
                    return {"unfit": "its first imports end the interpreter"}
                word += part
        except TimeoutError:
            return {"unfit": f"its first imports take longer than {START_LIMIT_S:g} s"}
        self.link.settimeout(None)
        return dict(json.loads(word))

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a program with ``environment`` can be forked; if not, ``reason`` says why."""
        other = [name for name, met in self._met.items() if environment.get(name) != met]
        if other:
            self.reason = f"its imports look at the variable {other[0]}, which is another one in some run"
        return not self.has_ended and not other

    def done(self, later: dict[str, Any] | None, *, alive: bool) -> None:
        """A run is over and nothing of it is left; another may begin if the server is still ``alive``."""
        self.has_ended = not alive
        self.has_news = self.later is None and later is not None
        self.later = self.later or later

    def close(self) -> None:
        """End the server and everything it has started; idempotent."""
        self.has_ended = True
        for end in (self.link, self._orders):
            if end is not None:
                end.close()
        if self._watcher is not None:
            self._watcher.wait(STOP_LIMIT_S)


def environment_of_imports(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every launch in virtual time has in its environment, whatever the run."""
    return {
        **inherited_environment(inherited),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(private_folder()),
        "DRYCELL_FIX_ADDRESSES": "1",
    }


def first_imports(script: Path) -> list[str]:
    """The imports with which ``script`` begins, up to the first of a module beside it or any other statement."""
    try:
        body = ast.parse(script.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    found = []
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            names = [statement.module or "."] if not statement.level else ["."]
        elif isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            break
        if any(_is_beside(script.parent, name.partition(".")[0]) for name in names):
            break
        found.append(ast.unparse(statement))
    return found


def _is_beside(folder: Path, name: str) -> bool:
    """Whether Python would find the module ``name`` (or anything at all for "") in ``folder``."""
    return not name or any(entry.name.partition(".")[0] == name for entry in folder.iterdir())
