"""The command line: the five launch options in both spellings, the bin table of the master, and --describe."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drycell.runtime.program.errors import ProgramError
from drycell.runtime.program.launch import _bin_table, _parser, _underscored
from drycell.runtime.program.loading import is_program, load

GOOD = """
from drycell.runtime.program import Context, Limit, Program

program = Program(bins={1: {1: "Good"}, 3: {12: "Vout"}})


@program.test(Limit(3.2, 3.4, "V"), bin=12)
def vout(ctx: Context, vin: float = 5.0) -> float:
    return 3.3


if __name__ == "__main__":
    program.main()
"""


def written(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.row("SEQ-04", "SEQ-05", "SEQ-06", "SEQ-07", "SEQ-08", "SEQ-09")
@pytest.mark.parametrize("mark", ["_", "-"])
@pytest.mark.parametrize("glue", [" ", "="])
def test_the_five_options_are_taken_in_both_spellings(mark: str, glue: str) -> None:
    values = {
        "device_id": "my-cell_1",
        "site_id": "3",
        "broker_host": "10.0.0.1",
        "broker_port": "8883",
        "parent_pid": "7",
    }
    line = " ".join(f"--{name.replace('_', mark)}{glue}{value}" for name, value in values.items())
    options, rest = _parser("x").parse_known_args(
        _underscored([*line.split(), "--verbose", "--harness_strategytype", "external"])
    )
    assert {name: str(getattr(options, name)) for name in values} == values
    assert rest == ["--verbose", "--harness_strategytype", "external"]


@pytest.mark.parametrize("text", ["nonsense(", "__import__('os')", "{1: 2}", "[]", "{'x': ['1']}", "(" * 5000])
def test_a_bin_table_that_is_none_is_refused_and_never_executed(text: str) -> None:
    with pytest.raises(ProgramError, match="the bin table in its environment is none"):
        _bin_table(text)


def test_the_masters_bin_table_is_read() -> None:
    assert _bin_table("{'1': ['1'], '0': ['60000', 60001]}") == {1: (1,), 0: (60000, 60001)}


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_describe_prints_what_the_program_is_made_of(tmp_path: Path) -> None:
    told = json.loads(run(written(tmp_path, GOOD), "--describe").stdout)
    assert told["bins"] == {"1": {"1": "Good"}, "3": {"12": "Vout"}, "0": {"0": "Error"}}
    (test,) = told["tests"]
    assert (test["name"], test["inputs"], test["outputs"][0]["low"]) == ("vout", {"vin": 5.0}, 3.2)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--broker-port", "1"], "program.py: no broker at 127.0.0.1:1", 3),
        (["--device-id", "a/b"], "'a/b' is no device id", 3),
        (["--site-id", "256"], "STDF has sites 0 to 255", 2),
        (["--dialect", "klingon"], "invalid choice: 'klingon'", 2),
    ],
)
def test_what_cannot_be_started_is_one_sentence(tmp_path: Path, arguments: list[str], said: str, code: int) -> None:
    done = run(written(tmp_path, GOOD), *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


# loading in-process -------------------------------------------------------------------------------------------------


def test_a_file_is_recognised_without_being_executed(tmp_path: Path) -> None:
    assert is_program(written(tmp_path, GOOD))
    assert is_program(written(tmp_path, "import drycell.runtime.program as sdk\nraise SystemExit\n"))
    assert not is_program(written(tmp_path, "# drycell.runtime.program\nimport ate_test_app\n"))
    assert is_program(written(tmp_path, "from drycell.runtime.program import ("))
    assert not is_program(written(tmp_path, "from ate_test_app import ("))
    assert not is_program(tmp_path / "nobody.py")


def test_each_load_is_a_program_of_its_own_with_its_helpers(tmp_path: Path) -> None:
    written(tmp_path, "count = 0\n", "helper_of_load.py")
    path = written(
        tmp_path, GOOD + "\nimport helper_of_load\nhelper_of_load.count += 1\nassert helper_of_load.count == 1\n"
    )
    first, second = load(path), load(path)
    assert first is not second
    assert "helper_of_load" not in sys.modules and str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("bin=12", "bin=13"), "line 7: ProgramError: test vout: bins has no soft bin 13"),
        ("import no_such_driver\n" + GOOD, "line 1: ModuleNotFoundError: No module named 'no_such_driver'"),
        ("def broken(:\n" + GOOD, "line 1: SyntaxError:"),
        ("x = 1\nraise SystemExit(3)\n", "line 2: SystemExit: 3"),
        ("from drycell.runtime.program import Program\n", "holds 0 programs"),
        (GOOD + "\nother = Program(bins={1: {1: 'Good'}})\n", "holds 2 programs"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_one_sentence_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ProgramError) as refused:
        load(path)
    assert said in str(refused.value) and str(path) in str(refused.value)
