"""Every row of the sequencer specification has a test that names it."""

from tests.rows import rows_with_tests

ROWS = {f"SEQ-{number:02}" for number in range(1, 59)}


def test_every_row_of_the_sequencer_specification_has_a_test() -> None:
    assert sorted(ROWS - rows_with_tests("SEQ")) == []
    assert sorted(rows_with_tests("SEQ") - ROWS) == []
