"""The pytest plugin, as a real pytest in a process of its own sees it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drycell.sim.cell.semi_ate import cache_root
from drycell.sim.explore.findings import FindingStore
from drycell.sim.runs import RunStore

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CACHE = cache_root()  # asked here, since pytester changes the home folder
BROKEN = "stopped devices are failed devices"
SCENARIO = f"""
drycell: 1
name: a small lot
seed: 1
rung: model
program: {{definitions: {ROOT / "scenarios" / "demo"}}}
cell: {{peripherals: {{Temperature: {{latency_s: 0.05}}}}}}
devices: {{size: 4, defects: 0.6}}
instruments: {{meter: {{variable: DRYCELL_METER}}}}
timeline: [{{when: {{touchdown: 1}}, do: {{options: {{stop_on_fail: true}}}}}}]
expect: [{BROKEN}]
"""
QUIRK = '**{"cell.quirks": ["sequencer-passes-part-on-stop"]}'
BREAKS = f"""
    import pytest

    @pytest.mark.drycell("lot.yaml", {QUIRK})
    def test_it(cell):
        cell.run().assert_holds("{BROKEN}")
"""


@pytest.fixture
def nested(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with ``lot.yaml`` in it, in which pytest has its colours and variables of CI off."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("DRYCELL_CACHE", str(CACHE))
    (pytester.path / "lot.yaml").write_text(SCENARIO)
    return pytester


def footer_of(result: pytest.RunResult) -> dict[str, str]:
    """The lines below the line ``drycell`` that begin with a word and a colon."""
    text = result.stdout.str()
    assert re.search(r"^-+ drycell -+$", text, re.MULTILINE), text
    return dict(re.findall(r"^(again|events|report|reduce): +(.*)$", text, re.MULTILINE))


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Do what a person would: copy the line into a shell."""
    words = shlex.split(command)
    return subprocess.run([BIN / words[0], *words[1:]], cwd=folder, capture_output=True, text=True, check=False)


def test_a_cell_flies_the_marked_scenario_and_answers_in_the_words_of_the_oracles(nested: pytest.Pytester) -> None:
    nested.makepyfile(
        f"""
        import pytest
        from drycell.sim.errors import DrycellError

        @pytest.mark.drycell("lot.yaml")
        def test_marked(cell):
            lot = cell.run(**{{"devices.size": 6}})
            lot.assert_holds("lot completes", "{BROKEN}")
            lot.assert_nothing_violated()
            lot.assert_no_findings()
            assert sum(lot.bins.values()) == len(lot.of_kind("sorted")) == 6
            with pytest.raises(DrycellError, match="did you mean|name it"):
                lot.verdict("lot complete")

        def test_named(cell):
            broken = cell.run("lot.yaml", {QUIRK})
            broken.assert_nothing_violated(but=["{BROKEN}"])
            with pytest.raises(AssertionError, match="still says passed .* .events "):
                broken.assert_no_findings()
        """
    )
    nested.runpytest_subprocess("-q").assert_outcomes(passed=2)
    assert not (nested.path / ".drycell").exists()


def test_a_failed_test_says_how_to_see_it_again_and_every_line_works(nested: pytest.Pytester) -> None:
    nested.makepyfile(BREAKS)
    result = nested.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    footer = footer_of(result)
    assert list(footer) == ["again", "events", "report", "reduce"]
    assert "<html" in (nested.path / footer["report"]).read_text(encoding="utf-8")

    nested.makepyfile(BREAKS.replace(QUIRK, ""))  # what is replayed is what was kept, not what the test says now
    again = shell(footer["again"], nested.path)
    assert again.returncode == 1
    assert "still says passed" in again.stdout
    assert "still says passed" in shell(footer["events"], nested.path).stdout
    shell(footer["reduce"], nested.path)
    (finding,) = FindingStore(nested.path / ".drycell" / "findings").all()
    assert finding.facts.minimal
    assert finding.scenario().devices.size == 1


def test_the_seed_is_chosen_once_for_all_workers_and_that_of_the_last_failure_is_remembered(
    nested: pytest.Pytester,
) -> None:
    nested.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(cell, number):
            assert False, f"seed {cell.run('lot.yaml').flight.scenario.seed}."
        """
    )
    result = nested.runpytest_subprocess("-n2", "--drycell-seed", "random")
    result.assert_outcomes(failed=4)
    chosen = re.search(r"drycell: --drycell-seed (\d+)", result.stdout.str())
    assert chosen is not None
    assert set(re.findall(r"AssertionError: seed (\d+)\.", result.stdout.str())) == {chosen[1]}
    assert len(RunStore(nested.path / ".drycell" / "runs").all()) == 4
    assert len(re.findall(r"^again: ", result.stdout.str(), re.MULTILINE)) == 4

    last = nested.runpytest_subprocess("--drycell-seed", "last", "-k", "0")
    last.stdout.fnmatch_lines([f"drycell: --drycell-seed {chosen[1]}", f"*AssertionError: seed {chosen[1]}.*"])
    other = nested.runpytest_subprocess("--drycell-seed", "3", "-k", "0")
    other.stdout.fnmatch_lines(["*AssertionError: seed 3.*"])


DRAWS = """
    from pathlib import Path

    from hypothesis import given
    from drycell.sim.scenario import load
    from drycell.sim.testing import scenarios

    BASE = load(Path("lot.yaml"))

    @given(scenarios(BASE, devices=8))
    def test_it(cell, scenario):
        with open("drawn.txt", "a") as file:
            print(scenario.devices.size, file=file)
        assert scenario.devices.size < 5
"""


def test_what_hypothesis_found_is_tried_first_the_next_time_also_in_ci(
    nested: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    nested.makepyfile(DRAWS)
    nested.runpytest_subprocess("--drycell-runs", "50").assert_outcomes(failed=1)
    drawn = nested.path / "drawn.txt"
    smallest = min(int(size) for size in drawn.read_text().split() if int(size) >= 5)
    drawn.unlink()
    nested.runpytest_subprocess("--drycell-runs", "50").assert_outcomes(failed=1)
    assert int(drawn.read_text().split()[0]) == smallest


def test_a_test_with_given_draws_as_many_scenarios_as_asked_and_the_same_under_the_same_seed(
    nested: pytest.Pytester,
) -> None:
    nested.makepyfile(DRAWS.replace("< 5", "< 100"))
    drawn = nested.path / "drawn.txt"

    def draw(*options: str) -> list[str]:
        nested.runpytest_subprocess(*options).assert_outcomes(passed=1)
        lines = drawn.read_text().split()
        drawn.unlink()
        return lines

    first = draw("--drycell-runs", "30", "--drycell-seed", "5")
    assert len(first) == 30
    assert draw("--drycell-runs", "30", "--drycell-seed", "5") == first
    assert len(draw("--drycell-replay", "lot.yaml")) == 1


def test_a_draw_that_fails_is_kept_once_as_small_as_hypothesis_made_it(nested: pytest.Pytester) -> None:
    nested.makepyfile(
        """
        from pathlib import Path

        from hypothesis import given
        from drycell.sim.scenario import load
        from drycell.sim.testing import clean

        BASE = load(Path("lot.yaml"))

        @given(clean(BASE, sites=1, devices=5))
        def test_it(cell, scenario):
            assert cell.run(scenario).bins == {}
        """
    )
    result = nested.runpytest_subprocess("--drycell-runs", "5")
    result.assert_outcomes(failed=1)
    (kept,) = RunStore(nested.path / ".drycell" / "runs").all()
    assert kept.name in footer_of(result)["again"]
    scenario = kept.scenario()
    assert (scenario.devices.size, scenario.timeline) == (1, ())


def test_the_rung_of_the_command_line_goes_before_that_of_the_scenario(nested: pytest.Pytester) -> None:
    nested.makepyfile(
        """
        def test_it(cell):
            assert cell.run("lot.yaml", rung="process").flight.scenario.rung == "model"
        """
    )
    nested.runpytest_subprocess("--drycell-rung", "model").assert_outcomes(passed=1)


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_real_programs_start_warm_within_a_session_and_leave_nothing_behind(nested: pytest.Pytester) -> None:
    nested.makepyfile(
        """
        import os
        from pathlib import Path

        def descendants(pid):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                yield child
                yield from descendants(child)

        def test_it(cell):
            hashes = set()
            for _ in range(3):
                lot = cell.run("lot.yaml", rung="process", **{"devices.size": 2})
                lot.assert_holds("lot completes")
                hashes.add(lot.flight.result.journal_sha256)
            assert len(hashes) == 1
            Path("kept").write_text(" ".join(descendants(os.getpid())))
        """
    )
    nested.runpytest_subprocess("-q").assert_outcomes(passed=1)
    kept = (nested.path / "kept").read_text().split()
    assert len(kept) == 2  # the process that programs are forked from, and the one that watches over it
    assert not [pid for pid in kept if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--drycell-seed", "x"], "neither a whole number"),
        (["--drycell-seed", "last"], "no test with a cell has failed here yet"),
        (["--drycell-runs", "0"], "at least one run"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    nested: pytest.Pytester, options: list[str], sentence: str
) -> None:
    result = nested.runpytest_subprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sentence in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_tests_without_a_cell_pay_nothing(nested: pytest.Pytester) -> None:
    nested.makepyfile(
        """
        import sys

        def test_it():
            assert [name for name in sys.modules if name.startswith("drycell.")] == [
                "drycell.sim", "drycell.sim.testing", "drycell.sim.testing.plugin"
            ]
            assert "hypothesis" not in sys.modules
        """
    )
    nested.runpytest_subprocess().assert_outcomes(passed=1)
