"""docs/plugins.md: its code runs, and every row of the inventory has a test or a line there."""

import contextlib
import io
import re
from pathlib import Path

from drycell.runtime.plugins.kinds import KINDS
from tests.rows import rows_with_tests

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
ROWS = {f"HS-{number:02}" for number in range(1, 61)}


def test_every_row_of_the_plugin_document_has_a_test_or_a_stated_replacement() -> None:
    replaced = set(re.findall(r"HS-\d+", PAGE))
    assert rows_with_tests("HS") | replaced >= ROWS
    assert rows_with_tests("HS") - ROWS == set()


def test_every_hook_stands_on_the_page() -> None:
    assert [kind.make for kind in KINDS.values() if f"`{kind.make}(" not in PAGE] == []
    assert [kind.names for kind in KINDS.values() if f"`{kind.names}`" not in PAGE] == []


def test_the_example_of_the_page_does_what_it_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/plugins.md", "exec"), {})
    assert "no plugin has the tester 'drycell.NoTester'" in said.getvalue()
