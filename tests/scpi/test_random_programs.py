"""Any sequence of commands, any line: a sample of what ``python -m tests.quality.scpi`` does in its full size."""

import pytest

from drycell.plugins_sim.instruments.bench import USUAL
from tests.quality.scpi import fuzz_server, run_program

PROGRAMS, LINES = 200, 1500


def test_random_programs_keep_kirchhoffs_laws() -> None:
    for number in range(PROGRAMS):
        try:
            run_program(number)
        except AssertionError as error:
            raise AssertionError(f"program {number}: {error}") from error


@pytest.mark.parametrize("name", [name for name, _ in USUAL])
def test_a_server_answers_any_lines_in_step_and_goes_on(name: str) -> None:
    assert fuzz_server(name, 0, LINES) > LINES / 100
