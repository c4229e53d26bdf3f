"""The rooms of the house: runtime knows neither of the others, sim never imports plugins, inject stands alone."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "runtime": ("drycell.sim", "drycell.plugins_sim"),
    "sim": ("drycell.plugins_sim",),
    "plugins_sim": (),
    "drycell": ("drycell.runtime", "drycell.sim", "drycell.plugins_sim"),
}
ROOMS = ("runtime", "sim", "plugins_sim")


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that ``path`` imports, also by a name in a text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "import_module",
            "__import__",
        ):
            yield from ((node.lineno, str(a.value)) for a in node.args if isinstance(a, ast.Constant))


def package_of(path: Path) -> str:
    return ".".join(("drycell", *path.relative_to(ROOT).parts[:-1])) if path.parts[-2] != "drycell" else "drycell"


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_go_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(room)
        for line, name in imported(path, package_of(path))
        if any(within(name, package) for package in FORBIDDEN[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_our_own_rooms_are_imported_by_their_full_names_only(room: str) -> None:
    """``import sim`` would find a user's package of that name."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(room)
        for line, name in imported(path, package_of(path))
        if name.split(".")[0] in ROOMS
    ]
    assert wrong == []


def test_injected_code_needs_nothing_but_the_standard_library() -> None:
    """It runs in the user's interpreter. Inside a function it may use what the host program itself has.

    The PyVISA backend is loaded by PyVISA alone.
    """
    folder = ROOT / "sim" / "inject"
    own = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    allowed = sys.stdlib_module_names | own
    wrong = []
    for path in sources("sim/inject"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                if top == "pyvisa" and path.parent.name == "visa":
                    continue
                if top == "drycell" or (top not in allowed and id(node) not in inside):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {name}")
    assert wrong == []


def test_the_walk_sees_every_way_to_import(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "import drycell.sim.a\n"
        "from drycell import sim\n"
        "from ..sim import b\n"
        "from .. import sim as s\n"
        "import_module('drycell.sim.c')\n"
        "def f():\n    import drycell.sim.d\n"
    )
    found = {line for line, name in imported(path, "drycell.runtime.room") if within(name, "drycell.sim")}
    # ``from ..sim`` inside drycell.runtime.room is drycell.runtime.sim, which is another thing
    assert found == {1, 2, 5, 7}
    found = {line for line, name in imported(path, "drycell.runtime") if within(name, "drycell.sim")}
    assert found == {1, 2, 3, 4, 5, 7}
