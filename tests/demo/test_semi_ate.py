"""The second environment and the program: what is said when it cannot be made, and that it runs when it can."""

import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drycell.sim.cell import semi_ate
from drycell.sim.errors import DrycellError

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
GENERATED = '''"""By somebody."""

from vout_BC import vout_BC


class vout(vout_BC):

    """Words."""

    def do(self):
        import time
        time.sleep(1)
'''


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRYCELL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_do_body_takes_the_place_of_the_generated_one_and_its_imports_stand_before_the_class() -> None:
    body = "import time\n\nLIMIT = 3\n\n\ndef do(self):\n    time.sleep(LIMIT)\n"
    text = semi_ate.splice(GENERATED, body, Path("vout.py"))
    names: dict[str, object] = {"vout_BC": object}
    exec(compile(text.replace("from vout_BC import vout_BC", ""), "vout.py", "exec"), names)
    assert text.index("LIMIT = 3") < text.index("class vout")
    assert "time.sleep(1)" not in text
    assert "    def do(self):\n        time.sleep(LIMIT)\n" in text
    assert hasattr(names["vout"], "do")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [("def do(self)\n    pass\n", "line 1"), ("def run(self):\n    pass\n", r"no function do\(self\)")],
)
def test_a_do_body_that_is_none_is_refused(body: str, sentence: str) -> None:
    with pytest.raises(DrycellError, match=sentence):
        semi_ate.splice(GENERATED, body, Path("vout.py"))


@pytest.mark.parametrize("gone", ["binning.json", "do", "definitions", "do/ramp.py"])
def test_an_incomplete_source_folder_is_named(tmp_path: Path, cache: Path, gone: str) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    path = tmp_path / "demo" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DrycellError, match=Path(gone).name):
        semi_ate.prepare(tmp_path / "demo")


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/true"])
def test_what_is_no_python_is_refused(cache: Path, python: str) -> None:
    with pytest.raises(DrycellError, match="no Python interpreter"):
        semi_ate.prepare(DEMO, python=python)


def test_an_unfit_python_version_is_refused(cache: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3 9 2 /usr\n")
    old.chmod(0o755)
    with pytest.raises(DrycellError, match=r"is Python 3\.9, but .* 3\.11 to 3\.13"):
        semi_ate.prepare(DEMO, python=old)


def test_an_unreachable_package_index_is_one_sentence_with_the_log(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DrycellError, match="package index did not answer") as caught:
        semi_ate.make_environment()
    assert "\n" not in str(caught.value)
    assert list((cache / "logs").glob("*.txt"))
    assert not list((cache / "environments").glob("*/versions.json"))


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRYCELL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DrycellError, match="set DRYCELL_CACHE"):
        semi_ate.make_environment(python=sys.executable)


def test_two_that_ask_at_the_same_time_make_it_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    waiting = threading.Event()

    def install(python: str, home: Path, groups: object) -> None:
        assert waiting.wait(20)
        home.mkdir(parents=True)
        (home / "versions.json").write_text("{}")
        made.append(home)

    monkeypatch.setattr(semi_ate, "_install", install)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(semi_ate.make_environment)
        second = pool.submit(semi_ate.make_environment)
        third = pool.submit(semi_ate.make_environment, say=lambda line: waiting.set())
        assert {first.result(), second.result(), third.result()} == set(made)
    assert len(made) == 1


def test_a_half_made_environment_is_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(python: str, home: Path, groups: object) -> None:
        home.mkdir(parents=True)
        (home / "broken").touch()
        raise KeyboardInterrupt

    def install_whole(python: str, home: Path, groups: object) -> None:
        home.mkdir(parents=True)
        (home / "versions.json").write_text("{}")

    monkeypatch.setattr(semi_ate, "_install", install)
    with pytest.raises(KeyboardInterrupt):
        semi_ate.make_environment()
    monkeypatch.setattr(semi_ate, "_install", install_whole)
    assert sorted(path.name for path in semi_ate.make_environment().iterdir()) == ["versions.json"]
