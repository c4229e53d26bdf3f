"""What a user gets: one top-level name, every room, types, licences; and it leaves the user's own packages alone."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, build

pytestmark = pytest.mark.xdist_group("packaging")
ROOMS = ("runtime", "sim", "plugins_sim")


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def modules(wheel: Path) -> set[str]:
    return {name for name in names(wheel) if ".dist-info/" not in name}


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    assert {name.split("/")[0] for name in modules(wheel)} == {"drycell"}
    assert wheel.name.endswith("-py3-none-any.whl")


def test_every_source_file_is_in_the_wheel_and_typed(wheel: Path) -> None:
    expected = {
        f"drycell/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix in (".py", ".json", ".yaml") and "__pycache__" not in path.parts
    }
    assert modules(wheel) >= expected | {"drycell/__init__.py", "drycell/py.typed"}
    bare = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    ]
    assert bare == []


def test_the_licences_travel_with_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "Apache-2.0 AND MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert b"Apache License" in archive.read(f"{info}/licenses/LICENSE")
    for inject in (f"{info}/licenses/sim/inject/LICENSE", "drycell/sim/inject/LICENSE"):
        assert b"MIT License" in archive.read(inject)


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    (tmp_path / "out").mkdir()
    again = build(tree, "--wheel", tmp_path / "out")
    assert names(again) == names(wheel)


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*command, "--disable-pip-version-check", str(wheel)], check=True)
    return site


PROJECT = {
    "sim/__init__.py": "NAME = 'the user'\n",
    "runtime/__init__.py": "from sim import NAME\n",
    "plugins_sim/__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_mine.py": (
        "from pathlib import Path\n"
        "import drycell.runtime, drycell.sim.scenario\n"
        "import runtime, sim, tests\n"
        "def test_mine():\n"
        "    here = Path(__file__).parents[1]\n"
        "    assert sim.NAME == runtime.NAME == 'the user'\n"
        "    for module in (sim, runtime, tests):\n"
        "        assert Path(module.__file__).is_relative_to(here)\n"
        "    for module in (drycell.runtime, drycell.sim.scenario):\n"
        "        assert not Path(module.__file__).is_relative_to(here)\n"
        "    assert drycell.sim.scenario.from_data({'drycell': 1, 'name': 'mine'}).name == 'mine'\n"
    ),
    "mine.yaml": "drycell: 1\nname: mine\n",
}


def test_a_user_repository_with_rooms_of_the_same_names_works_beside_it(installed: Path, tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 passed" in tested.stdout
    where = "import sys, drycell.sim.cli as c; print(c.__file__, file=sys.stderr); sys.exit(c.main())"
    checked = subprocess.run(
        [sys.executable, "-c", where, "scenario", "check", "mine.yaml"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.stdout == "mine.yaml: good\n"
    assert checked.stderr.startswith(str(installed))
