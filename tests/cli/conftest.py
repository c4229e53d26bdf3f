"""A folder with a scenario in it, which is where a user stands."""

from pathlib import Path

import pytest

from tests.cli.support import SCENARIO


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    return tmp_path
