"""A capture beside mosquitto under load, at full length: 5,000 messages of 200 bytes a second for 60 s, QoS 0 to 2.

Nothing may be lost, or the measurement fails. With ``--kills N`` the capture is killed N times in between, and no message
of QoS 1 or 2 may be lost.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.broker.mosquitto import mosquitto
from tests.replay.floor import ROOMY, CaptureProcess, Load, numbers

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(count: int, per_second: int, kills: int) -> int:
    """Prints one line; returns how many messages were lost."""
    with TemporaryDirectory() as place, mosquitto(Path(place), *ROOMY) as port:
        folder = Path(place) / "night"
        capture = CaptureProcess(port, folder)
        begin_s = time.monotonic()
        load = Load(port, count, per_second)
        for number in range(kills):
            time.sleep(max(0.0, begin_s + (number + 1) * count / per_second / (kills + 1) - time.monotonic()))
            capture.kill()
            capture = CaptureProcess(port, folder)
        published = load.all()
        took_s = time.monotonic() - begin_s
        used_s = cpu_s(capture.process.pid)
        told = capture.end(patience_s=600)
        heard = numbers(folder)
        size = sum(file.stat().st_size for file in folder.iterdir())
    wanted = [n for n in range(published) if not kills or n % 3]
    lost = sum(heard[n] == 0 for n in wanted)
    twice = sum(heard[n] > 1 for n in wanted)
    print(f"{published:9,} published in {took_s:.1f} s ({published / took_s:,.0f}/s), {kills} kills: {len(heard):,} recorded,"
          f" {lost} lost, {twice} twice, gaps {told['gaps']}; {size >> 20} MB"
          + ("" if kills else f", {1e6 * used_s / published:.0f} us of CPU each"))  # fmt: skip
    return lost + twice


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    count = options.seconds * options.rate
    wrong = measure(count, options.rate, 0) + measure(count, options.rate, options.kills)
    sys.exit("messages were lost, or told twice" if wrong else 0)


if __name__ == "__main__":
    main()
