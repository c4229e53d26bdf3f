"""A program that cannot run is refused with one sentence before anything is started."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drycell.sim.cell.preflight import examine, private_copy
from drycell.sim.errors import DrycellError

PYTHON = Path(sys.executable)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in the shape of a generated Semi-ATE project; returns the program file."""
    folder = tmp_path / "ldo" / "ldo" / "HW0" / "PR"
    (folder / "vout").mkdir(parents=True)
    (folder / "vout" / "vout.py").write_text("")
    (folder / "log").mkdir()
    (folder / "log" / ".gitkeep").touch()
    (tmp_path / "ldo" / "pattern").mkdir()
    (tmp_path / "ldo" / "pattern" / "a.stil").touch()
    (tmp_path / "ldo" / "definitions").mkdir()
    (tmp_path / "ldo" / ".venv").mkdir()
    for name in ("prog_execution_strategy.json", "prog_binning.json"):
        (folder / name).write_text("{}")
    program = folder / "prog.py"
    program.write_text("import ate_test_app\n")
    return program


def gone(name: str) -> Callable[[Path], None]:
    return lambda program: program.with_name(name).unlink()


def written(text: bytes) -> Callable[[Path], None]:
    return lambda program: program.write_bytes(text) and None


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (gone("prog.py"), "there is no program .*prog.py"),
        (gone("prog_binning.json"), "no prog_binning.json beside it"),
        (gone("prog_execution_strategy.json"), "no prog_execution_strategy.json .*sammy"),
        (written(b"MZ\x00\x01\xff"), "is not Python"),
        (written(b"x = 1\ndef f(:\n"), "is not Python .line 2"),
        (lambda program: program.with_name("prog_binning.json").write_text("{"), "prog_binning.json is not JSON"),
        (lambda _: None, "has no package ate_test_app, .* -m pip install semi-ate-test-app"),
    ],
)
def test_each_thing_that_is_missing_is_named(project: Path, harm: Callable[[Path], None], sentence: str) -> None:
    harm(project)
    with pytest.raises(DrycellError, match=sentence) as caught:
        examine(PYTHON, project)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("/nowhere/python", "no program that can be executed"),
        ("/proc/self/status", "no program that can be executed"),
        ("/bin/true", "does not answer as a Python"),
        ("/bin/cat", "does not answer as a Python"),
    ],
)
def test_an_interpreter_that_is_none_is_refused(project: Path, python: str, sentence: str) -> None:
    with pytest.raises(DrycellError, match=sentence):
        examine(Path(python), project)


def test_a_program_that_does_not_use_semi_ate_needs_no_companions(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("print('hello')\n")
    examined = examine(PYTHON, tmp_path / "own.py")
    assert (examined.semi_ate, examined.python_version) == (False, sys.version_info[:2])


def test_the_copy_has_the_code_and_the_patterns_and_not_the_log(project: Path, tmp_path: Path) -> None:
    copied = private_copy(project, tmp_path / "run")
    files = sorted(str(f.relative_to(tmp_path / "run")) for f in (tmp_path / "run").rglob("*") if f.is_file())
    assert copied == tmp_path / "run" / "ldo" / "ldo" / "HW0" / "PR" / "prog.py"
    assert files == [
        "ldo/ldo/HW0/PR/prog.py",
        "ldo/ldo/HW0/PR/prog_binning.json",
        "ldo/ldo/HW0/PR/prog_execution_strategy.json",
        "ldo/ldo/HW0/PR/vout/vout.py",
        "ldo/pattern/a.stil",
    ]


def test_a_plain_script_brings_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.py").touch()
    (tmp_path / "mine" / "helper.py").touch()
    for own_of_a_tool in (".git", ".hypothesis", ".pytest_cache"):
        (tmp_path / "mine" / own_of_a_tool).mkdir()
    copied = private_copy(tmp_path / "mine" / "own.py", tmp_path / "run")
    assert sorted(path.name for path in copied.parent.iterdir()) == ["helper.py", "own.py"]


def test_a_copy_that_cannot_be_made_is_one_sentence(project: Path, tmp_path: Path) -> None:
    private_copy(project, tmp_path / "run")
    with pytest.raises(DrycellError, match="could not be copied"):
        private_copy(project, tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
