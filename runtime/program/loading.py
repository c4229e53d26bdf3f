"""A program file -> the Program in it, in this very process: for worlds without a process per program."""

import ast
import sys
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drycell.runtime.program.definition import Program
from drycell.runtime.program.errors import ProgramError

SDK = "drycell.runtime.program"


def is_program(path: Path) -> bool:
    """Whether the file imports this SDK; of a file with a syntax error, whether it names it. Executes nothing."""
    try:
        text = path.read_bytes()
        tree = ast.parse(text)
    except OSError:
        return False
    except (SyntaxError, ValueError):
        return SDK.encode() in text
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == SDK)
        or (isinstance(node, ast.Import) and any(name.name == SDK for name in node.names))
        for node in ast.walk(tree)
    )


def load(path: Path) -> Program:
    """Execute the file, as a module that is not ``__main__``, and return the one Program in it.

    Each call gives a program of its own: the file and the modules beside it are executed anew, so that sites share
    no variables. Raises ProgramError in one sentence with file and line.
    """
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        with _modules_beside(path.parent):
            exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        raise ProgramError(f"{_place(error, path)}: {type(error).__name__}: {_text(error)}") from error
    found = {id(value): value for value in vars(module).values() if isinstance(value, Program)}
    if len(found) != 1:
        raise ProgramError(f"{path} holds {len(found)} programs; write program = Program(bins=...) once")
    return next(iter(found.values()))


@contextmanager
def _modules_beside(folder: Path) -> Iterator[None]:
    """Imports find the modules in ``folder`` first, as for a script, and forget them afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin is not None and folder in Path(origin).parents:
                del sys.modules[name]


def _place(error: BaseException, path: Path) -> str:
    """File and line of the author's code that raised ``error``."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}, line {error.lineno}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if str(path.parent) in frame.filename]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else str(path)


def _text(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)
