"""Which rows of the feature inventory have a test: those that a ``row`` marker names."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def rows_with_tests(prefix: str) -> set[str]:
    """The rows with ``prefix``, such as ``SEQ``, that any test names."""
    markers = [
        marker
        for path in sorted(TESTS.rglob("test_*.py"))
        for marker in re.findall(r"@pytest\.mark\.row\((.*?)\)", path.read_text("utf-8"), re.DOTALL)
    ]
    return {row for marker in markers for row in re.findall(rf'"({prefix}-\d+)"', marker)}
