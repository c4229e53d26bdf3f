"""Run mypy --strict over drycell.* as users import it.

mypy does not follow the finder that an editable install leaves behind, so the folders are laid out once more as
symbolic links under ``.cache/tree/drycell`` and checked there.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / ".cache" / "tree" / "drycell"


def main() -> int:
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for name in ("drycell/__init__.py", "drycell/py.typed", "runtime", "sim", "plugins_sim"):
        (TREE / Path(name).name).symlink_to(ROOT / name)
    return subprocess.call(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "drycell", *sys.argv[1:]],
        cwd=TREE.parent,
    )


if __name__ == "__main__":
    sys.exit(main())
