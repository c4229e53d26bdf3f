"""Damaged and hostile files are read as far as they go or refused with a reason; 1,000 of them in ``make quality``."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_hundred_damaged_and_hostile_files_are_read_or_refused():
    command = [sys.executable, "-m", "tests.quality.hostile", "100", "5", "--loose"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["files"] == 100 and told["wrong"] == []
    assert min(told["outcomes"][one] for one in ("read", "refused")) > 10
