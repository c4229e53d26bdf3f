"""A run's result: its published shape, its exit code, and the way to the disk and back."""

from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.result import OracleResult, RunResult, from_record, overall
from drycell.sim.errors import DrycellError

HOLDS = OracleResult("lot completes", "holds", (40, 41), "All 20 devices were sorted.", required=True)
AMBIENT_UNKNOWN = OracleResult("crash is noticed", "unknown")
REQUIRED_UNKNOWN = OracleResult("reset brings the cell back", "unknown", required=True)
VIOLATED = OracleResult("result deadline", "violated", (17,), "Site 1 was late.")


def a_result(**changes: Any) -> RunResult:
    values: dict[str, Any] = {
        "verdict": "holds",
        "oracles": (HOLDS, AMBIENT_UNKNOWN),
        "journal_sha256": "ab" * 32,
        "virtual_s": 61.5,
        "wall_s": 0.25,
        "parts": 20,
        "soft_bins": {11: 2, 1: 18},
        "hard_bins": {1: 18, 3: 2},
        "yield_": 0.9,
        "stdf_path": None,
        "run_dir": Path("runs/x"),
        "deterministic": True,
        "rung": "model",
        "pace": "virtual",
        "seed": 7,
        "versions": {"drycell": "0.1.0"},
        "problems": ("Site 1 was slow.",),
        "soft_bin_names": {1: "GOOD", 11: "OPEN"},
    }
    return RunResult(**{**values, **changes})


def test_the_json_has_exactly_the_published_keys() -> None:
    assert list(a_result().to_json()) == [
        *("verdict", "oracles", "journal_sha256", "virtual_s", "wall_s", "parts", "soft_bins", "hard_bins", "yield"),
        *("stdf_path", "run_dir", "deterministic", "rung", "pace", "seed", "versions"),
    ]
    assert a_result().to_json()["soft_bins"] == {"1": 18, "11": 2}


@pytest.mark.parametrize(
    ("oracles", "verdict", "exit_code"),
    [
        ((), "holds", 0),
        ((HOLDS, AMBIENT_UNKNOWN), "holds", 0),
        ((HOLDS, REQUIRED_UNKNOWN), "unknown", 2),
        ((HOLDS, REQUIRED_UNKNOWN, VIOLATED), "violated", 1),
    ],
)
def test_the_verdict_follows_from_the_oracles(
    oracles: tuple[OracleResult, ...], verdict: str, exit_code: int
) -> None:
    assert overall(oracles) == verdict
    assert a_result(verdict=overall(oracles), oracles=oracles).exit_code == exit_code


def test_a_result_survives_the_way_through_its_record() -> None:
    result = a_result(stdf_path=Path("lot.stdf"))
    assert from_record(result.to_record(), result.run_dir) == result


@pytest.mark.parametrize("damage", [None, {}, {"drycell_verdict": 9}, {"drycell_verdict": 1, "verdict": "maybe"}])
def test_a_damaged_record_is_refused_in_one_sentence(damage: Any) -> None:
    with pytest.raises(DrycellError, match=r"verdict\.json is"):
        from_record(damage, Path("runs/x"))
