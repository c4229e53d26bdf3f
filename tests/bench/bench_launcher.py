"""What the launcher and the demo's instruments cost: medians, side by side in one run."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from drycell.plugins_sim.devices.ldo import LdoPopulation
from drycell.plugins_sim.instruments.meter import answer
from drycell.sim.cell.launcher import Launcher, LaunchRequest
from drycell.sim.cell.line_server import LineServer

ROUNDS = 30
LINE = "MEAS:RAMP? (@0),3.6,4.0,4.5,5.0,5.5"


def timed(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times) * 1e3


def direct(folder: Path) -> float:
    return timed(lambda: subprocess.call([sys.executable, "prog.py"], cwd=folder))


async def launched(folder: Path) -> tuple[float, float, float]:
    """Median ms of: start and stop of an idle launcher; a program from launch to its exit; launch() alone."""
    loop = asyncio.get_running_loop()
    idle, whole, spawn = [], [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        launcher = Launcher(folder / "run")
        await launcher.start()
        await launcher.stop()
        idle.append(time.perf_counter() - start)
    launcher = Launcher(folder / "run")
    await launcher.start()
    for _ in range(ROUNDS):
        ended: asyncio.Future[int] = loop.create_future()
        request = LaunchRequest(
            site="0",
            python=Path(sys.executable),
            script="prog.py",
            cwd=folder,
            device_id="D",
            broker_host="127.0.0.1",
            broker_port=1883,
            bin_table={"1": ["1"]},
        )
        start = time.perf_counter()
        launcher.launch(request, ended.set_result)
        spawn.append(time.perf_counter() - start)
        await ended
        whole.append(time.perf_counter() - start)
    await launcher.stop()
    return median(idle) * 1e3, median(whole) * 1e3, median(spawn) * 1e3


async def over_tcp(questions: int = 2000) -> float:
    device = LdoPopulation(7, "L", 0, 1).device(1)
    server = LineServer(lambda line: answer(line, lambda _: device))
    await server.start()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    start = time.perf_counter()
    for _ in range(questions):
        writer.write(LINE.encode() + b"\n")
        await reader.readline()
    elapsed = time.perf_counter() - start
    writer.close()
    await server.stop()
    return elapsed / questions * 1e3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prog.py").write_text("pass\n")
        plain = direct(folder)
        idle, whole, spawn = asyncio.run(launched(folder))
    device = LdoPopulation(7, "L", 0, 1).device(1)
    pure = timed(lambda: [answer(LINE, lambda _: device) for _ in range(1000)]) / 1000
    tcp = asyncio.run(over_tcp())
    population = timed(lambda: LdoPopulation(7, "L", 0, 10000))
    rows = [
        ("an empty Python program, subprocess.call", plain, plain),
        ("the same through the launcher, launch to exit code", whole, plain),
        ("of it launch() itself", spawn, plain),
        ("launcher start and stop without program", idle, plain),
        ("one five-point ramp answered by the meter", pure, pure),
        ("the same over TCP", tcp, pure),
        ("a population of 10,000 regulators", population, pure),
    ]
    for text, ms, base in rows:
        print(f"{text:52} {ms:9.3f} ms {ms / base:9.2f} x")


if __name__ == "__main__":
    main()
