"""Every row DVT-015 to DVT-122 of the inventory has a test, or docs/instruments.md says what replaces it."""

import re
from pathlib import Path

from tests.rows import rows_with_tests

PAGE = Path(__file__).parents[2] / "docs" / "instruments.md"
ROWS = {f"DVT-{number:03d}" for number in range(15, 123)}


def test_every_row_is_tested_or_replaced() -> None:
    replaced = set(re.findall(r"DVT-\d{3}", PAGE.read_text()))
    assert rows_with_tests("DVT") & ROWS, "no marker was found at all"
    assert sorted(ROWS - rows_with_tests("DVT") - replaced) == []
