"""A debugger inside the program: its threads, sockets and clocks are the machine's own, not the simulated world's.

Rules
- Whatever the debugger imports of the replaced modules is a second copy of them, built on the primitives that were
  kept before anything was replaced. The program never sees these copies.
- A thread that stands at a breakpoint holds the baton, so the program, and with it the simulated world, stands still.
- The debugger listens on loopback only. It is told where the program's own files are, since a private copy runs.
"""

from __future__ import annotations

import builtins
import os
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "DRYCELL_DEBUG"
HOST = "127.0.0.1"
_PRIMITIVE = ("_posixsubprocess", "_queue", "_socket", "_thread", "io", "posix", "select", "time")
_BUILT = ("os", "platform", "queue", "selectors", "socket", "subprocess", "threading")
_MARK = "__drycell_real__"
_world: dict[str, ModuleType] = {}
_folders: tuple[str, ...] = ()
_import = builtins.__import__


def keep() -> None:
    """Copy the modules of the C layer; call before anything of them is replaced."""
    for name in _PRIMITIVE:
        copy = _world[name] = ModuleType(name)
        copy.__dict__.update(vars(_import(name)))


def enter(wish: dict[str, Any]) -> None:
    """Listen for a debugger and wait for it, in wall time.

    ``wish``: ``port`` to listen on, ``folder`` that holds debugpy, ``paths`` as pairs (the user's, what runs).
    """
    global _folders
    folder = str(wish["folder"])
    _folders = (folder, os.path.realpath(os.path.join(folder, "debugpy")))
    builtins.__import__ = _importing
    threads: Any = _copy("threading")
    program: Any = _import("threading")
    _show_threads(threads, program)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("DRYCELL_") and k != "PYTHONPATH"}
    import json
    import sysconfig

    libraries = [*(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib")), os.path.dirname(__file__)]
    environ["LIBRARY_ROOTS"] = os.pathsep.join(libraries)
    environ["PATHS_FROM_ECLIPSE_TO_PYTHON"] = json.dumps(wish["paths"])
    environ["PYDEVD_USE_CYTHON"] = "NO"  # its compiled half does not import through Python
    environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    _copy("os").environ = environ  # type: ignore[attr-defined]
    sys.path.insert(0, folder)
    import debugpy  # type: ignore[import-not-found, import-untyped, unused-ignore]

    sys.path.remove(folder)
    sys.path.append(folder)
    debugpy.configure(subProcess=False, pythonEnv=environ)
    debugpy.listen((HOST, int(wish["port"])))

    def greet(*_event: object) -> None:
        debugpy.debug_this_thread()

    program.settrace(greet)  # called first when a thread of the program is known to ``threading``
    debugpy.wait_for_client()


def _show_threads(threads: Any, program: Any) -> None:
    """Let the debugger's ``threading`` know the program's threads, by their own names and objects."""

    class Kind(type):
        def __instancecheck__(cls, thing: object) -> bool:
            return type.__instancecheck__(cls, thing) or (cls is Thread and isinstance(thing, program.Thread))

    class Thread(threads.Thread, metaclass=Kind):  # type: ignore[misc]
        pass

    class Active(dict):  # type: ignore[type-arg]
        def __missing__(self, ident: int) -> Any:
            return program._active[ident]

        def __contains__(self, ident: object) -> bool:
            return super().__contains__(ident) or ident in program._active

    threads.Thread = Thread
    own = threads._active = Active(threads._active)
    threads.enumerate = lambda: list((own | program._active).values())
    threads.main_thread = program.main_thread


def _importing(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
    """``__import__``: the debugger, and what was copied for it, gets the copies."""
    top = name.partition(".")[0]
    if level or globals is None or not (top in _world or top in _BUILT) or not _is_debuggers(globals):
        return _import(name, globals, locals, fromlist, level)
    if fromlist and top != name:  # os.path: nothing of it was replaced
        return _import(name, globals, locals, fromlist, level)
    return _copy(top)


def _is_debuggers(scope: dict[str, Any]) -> bool:
    return bool(scope.get(_MARK)) or str(scope.get("__file__", "")).startswith(_folders)


def _copy(name: str) -> ModuleType:
    """The debugger's own copy of a module; made on first use."""
    if name in _world:
        return _world[name]
    from importlib.util import find_spec, module_from_spec

    before = sys.modules.pop(name, None)
    try:
        spec = find_spec(name)
        assert spec is not None and spec.loader is not None
        module = _world[name] = sys.modules[name] = module_from_spec(spec)
        setattr(module, _MARK, True)
        spec.loader.exec_module(module)
    finally:
        if before is not None:
            sys.modules[name] = before
        else:
            sys.modules.pop(name, None)
    return module
