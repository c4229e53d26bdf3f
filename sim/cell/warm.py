"""Warm starts: a program is started once, up to its first imports, and every launch forks it.

``WarmPrograms`` lives as long as its owner wants to run scenarios, and is handed to each run. A journal of a warm start
equals that of a cold start. Where that cannot be promised for a program, it is started cold, and ``reasons`` says why.
Works in virtual time only. The other half is ``drycell.sim.inject.shim.forkserver``.
"""

import ast
import json
import os
import select
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drycell.sim.cell.launcher import STOP_LIMIT_S, inherited_environment, spawn_watcher
from drycell.sim.cell.preflight import Examined, examine
from drycell.sim.lockstep import Settings
from drycell.sim.lockstep.private import private_folder

START_LIMIT_S = 60.0
_CODE = "from drycell_shim import forkserver; forkserver.main()"
_Key = tuple[Path, str, tuple[str, ...]]


class WarmPrograms:
    """Fork servers, one for each program met. ``with`` closes them; nothing of them survives its end."""

    def __init__(self) -> None:
        self._servers: dict[_Key, WarmServer | None] = {}
        self._examined: dict[tuple[Path, Path, bytes], Examined] = {}
        self.reasons: dict[str, str] = {}
        """Script -> why it cannot be started warm."""

    def __enter__(self) -> "WarmPrograms":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all servers; idempotent."""
        for server in self._servers.values():
            if server is not None:
                server.close()
        self._servers.clear()

    def examined(self, python: Path, program: Path) -> Examined:
        """What ``preflight.examine`` says, asked once for each text of a program. Raises DrycellError as it does."""
        try:
            key = python, program, program.read_bytes()
        except OSError:
            return examine(python, program)
        if key not in self._examined:
            self._examined[key] = examine(python, program)
        return self._examined[key]

    def server(self, python: Path, script: str, folder: Path) -> "WarmServer | None":
        """The server of the program ``script`` in ``folder``; None when it has to be started cold."""
        imports = tuple(first_imports(folder / script))
        key = python, script, imports
        server = self._servers.get(key)
        later = server.later() if server is not None else None
        if server is not None and (later or not server.usable):
            server.close()
            del self._servers[key]
        if key not in self._servers:
            self._servers[key] = self._started(python, script, imports, later)
        return self._servers[key]

    def _started(
        self, python: Path, script: str, imports: Sequence[str], later: dict[str, Any] | None
    ) -> "WarmServer | None":
        if not imports:
            self.reasons[script] = "it begins with no import of an installed module"
            return None
        server = WarmServer(python, imports, later)
        if server.unfit:
            self.reasons[script] = server.unfit
            server.close()
            return None
        return server


class WarmServer:
    """One fork server: a link that takes the orders of a watcher, from one run after the other.

    ``imports``: statements with which the script begins; ``later``: what a program has said about the modules that it
    imports after them.
    """

    def __init__(self, python: Path, imports: Sequence[str], later: dict[str, Any] | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="drycell-warm-")
        self.usable = False
        self._asked: dict[str, str | None] = {}
        self._watcher, self._orders = spawn_watcher(Path(self._folder.name))
        self._later = later
        self.link = self._start(python, imports)
        self.unfit = self._first_word()

    def _start(self, python: Path, imports: Sequence[str]) -> socket.socket | None:
        folder = Path(self._folder.name)
        place = folder / "link"
        environment = environment_of_imports()
        told = {
            "socket": str(place),
            "imports": list(imports),
            "later": self._later,
            "leaves": str(self._word),
            "given": sorted(environment),
            "settings": {**Settings().of_every_run, "epoch_ns": Settings().epoch_ns, "seed": "none", "pid": 1},
        }
        order = {
            "id": 1,
            "argv": [str(python), "-c", _CODE],
            "cwd": str(folder),
            "env": {**environment, "DRYCELL_LOCKSTEP": str(place), "DRYCELL_WARM": json.dumps(told)},
            "stdout": str(folder / "stdout.txt"),
            "stderr": str(folder / "stderr.txt"),
            "aslr": False,
        }
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(place))
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

    def _first_word(self) -> str:
        if self.link is None:
            return "its interpreter does not come up with the shim"
        self.link.settimeout(START_LIMIT_S)
        try:
            word = b""
            while not word.endswith(b"\n"):
                part = self.link.recv(65536)
                if not part:
                    return "its first imports end the interpreter"
                word += part
        except TimeoutError:
            return f"its first imports take longer than {START_LIMIT_S:g} s"
        self.link.settimeout(None)
        answer: dict[str, Any] = json.loads(word)
        self.usable = "asked" in answer
        self._asked = answer.get("asked", {})
        return str(answer.get("unfit", ""))

    @property
    def _word(self) -> Path:
        return Path(self._folder.name) / "later.json"

    def later(self) -> dict[str, Any] | None:
        """What a program has imported after the fork, once one has told a server that did not know."""
        if self._later is not None or not self._word.exists():
            return None
        word: dict[str, Any] = json.loads(self._word.read_bytes())
        return word

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether the imports have met what a program with ``environment`` would meet."""
        return self.usable and all(environment.get(name) == met for name, met in self._asked.items())

    def begin(self) -> socket.socket:
        """The link for one run, which says ``done`` at its end."""
        assert self.link is not None
        self.usable = False
        return self.link

    def done(self, *, alive: bool) -> None:
        """The run is over and nothing of it is left; another may begin if the server is still ``alive``."""
        self.usable = alive

    def close(self) -> None:
        """End the server and everything it has started; idempotent."""
        self.usable = False
        if self.link is not None:
            self.link.close()
        self._orders.close()
        self._watcher.wait(STOP_LIMIT_S)
        self._folder.cleanup()


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
