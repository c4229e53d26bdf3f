"""How long a user waits: from the command to its answer and to the first device. Medians of one run, wall time."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
DRYCELL = str(Path(sys.executable).with_name("drycell"))
DEMO = str(ROOT / "scenarios" / "demo.yaml")
ROUNDS = 7


def whole(command: list[str], folder: str) -> float:
    start_s = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start_s


def first_device(command: list[str], folder: str) -> float:
    """Wall seconds until the first device is sorted, which is the first line that a run of ten devices says."""
    start_s = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"devices, yield" not in (line := process.stderr.readline()):
            assert line, "the run ended without a device"
        waited_s = time.perf_counter() - start_s
        process.stderr.read()
    assert process.returncode == 0
    return waited_s


def main() -> None:
    model = [DRYCELL, "run", DEMO, "--rung", "model", "--duts"]
    cases = {
        "python -c pass (the least there is)": (whole, [sys.executable, "-c", "pass"]),
        "drycell --version": (whole, [DRYCELL, "--version"]),
        "drycell scenario check": (whole, [DRYCELL, "scenario", "check", DEMO]),
        "drycell run, rung model: to the first device": (first_device, [*model, "10"]),
        "drycell run, rung model: whole run of 10 devices": (whole, [*model, "10"]),
        "drycell run, rung model: whole run of 1,000 devices": (whole, [*model, "1000"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        results = {
            name: median(measure(command, folder) for _ in range(ROUNDS))
            for name, (measure, command) in cases.items()
        }
    least = next(iter(results.values()))
    print(f"{'from the command to':56} {'s':>9} {'ratio':>8}")
    for name, value_s in results.items():
        print(f"{name:56} {value_s:9.3f} {value_s / least:8.1f}")


if __name__ == "__main__":
    main()
