"""Measured: SCPI queries per second, a script's sweep in virtual time, and a population with limits and bins."""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from drycell.plugins_sim.instruments.bench import make_bench
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.kernel import Kernel
from drycell.sim.kernel.pace import REAL

DRYCELL = str(Path(sys.executable).with_name("drycell"))
QUERIES = 5000
DEVICES, PARAMETERS = 1_000_000, 50


def rate(action: Callable[[int], object], count: int) -> float:
    start = time.process_time()
    for number in range(count):
        action(number)
    return count / (time.process_time() - start)


def in_process() -> None:
    now = [0]
    bench = make_bench({}, lambda: now[0])
    bench.ask("psu", "VOLT 5;:OUTP ON")
    bench.ask("load", "CURR 0.1;:INP ON")

    def later(number: int, change: bool) -> None:
        now[0] += 1_000_000
        if change:
            bench.ask("psu", f"VOLT {4.0 + number % 1000 / 1000:.3f}")
        bench.ask("dmm", "MEAS:VOLT:DC?")

    print("queries per second of CPU time, in-process")
    print(f"  *IDN?                                   {rate(lambda n: bench.ask('psu', '*IDN?'), QUERIES):10,.0f}")
    print(
        f"  MEAS:VOLT:DC? at one instant            {rate(lambda n: bench.ask('dmm', 'MEAS:VOLT:DC?'), QUERIES):10,.0f}"
    )
    print(f"  MEAS:VOLT:DC? 1 ms later each           {rate(lambda n: later(n, False), QUERIES):10,.0f}")
    print(f"  VOLT x and MEAS:VOLT:DC? 1 ms later     {rate(lambda n: later(n, True), QUERIES // 2):10,.0f}")


def over_tcp() -> None:
    kernel = Kernel(pace=REAL)
    bench = make_bench({}, lambda: kernel.now_ns)
    server = MessageServer(bench.served["psu"])

    async def main() -> tuple[float, float]:
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        start = time.process_time()
        for _ in range(QUERIES):
            writer.write(b"*IDN?\n")
            await reader.readline()
        single = QUERIES / (time.process_time() - start)
        start = time.process_time()
        writer.write(b"*IDN?\n" * QUERIES)
        for _ in range(QUERIES):
            await reader.readline()
        together = QUERIES / (time.process_time() - start)
        writer.close()
        await server.stop()
        return single, together

    single, together = kernel.run(main())
    kernel.close()
    print("queries per second of CPU time over TCP, client in the same loop")
    print(f"  *IDN?, one after the other              {single:10,.0f}")
    print(f"  *IDN?, sent together                    {together:10,.0f}")


def sweep() -> None:
    """An unmodified PyVISA script that takes 766 s, as a real process in virtual time."""
    script = Path(__file__).parents[1] / "instruments" / "tempco_script.py"
    resources = [f"TCPIP::127.0.0.1::{port}::SOCKET" for port in (5001, 5002, 5003, 5004)]
    print("a temperature sweep of 766 s by PyVISA, as a real process; everything from the command to its end")
    for library in ("@drycell", "@py"):
        command = [DRYCELL, "serve", "--profile", "seed", "--run", str(script), library, *resources, "0.1"]
        walls, cpus = [], []
        for _ in range(3):
            wall_s, cpu_s = time.perf_counter(), children_s()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert "took 766 s" in done.stdout
            walls.append(time.perf_counter() - wall_s)
            cpus.append(children_s() - cpu_s)
        print(f"  {library:10} wall {min(walls):.2f} s, CPU {min(cpus):.2f} s (least of three)")


def children_s() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


LOT = f"""
import time
import numpy as np
from drycell.plugins_sim.devices.production import Limit, Spread, bin_population, draw_population
limits = [Limit(-2.5, 2.5, 10 + k, 2 + k % 5) for k in range({PARAMETERS})]
bare, ours = [], []
for _ in range(3):
    start = time.process_time()
    generator = np.random.Generator(np.random.Philox(1))
    for _ in range({PARAMETERS}):
        generator.standard_normal({DEVICES})
    bare.append(time.process_time() - start)
    start = time.process_time()
    binned = bin_population(draw_population(7, "lot", 1, {DEVICES}, [Spread()] * {PARAMETERS}), limits)
    ours.append(time.process_time() - start)
peak_kb = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(min(bare), min(ours), binned.passed, peak_kb / 1024)
"""


def population() -> None:
    """In a process of its own, so that its peak of memory is its own."""
    done = subprocess.run([sys.executable, "-c", LOT], capture_output=True, text=True, check=True)
    bare, ours, passed, peak_mb = map(float, done.stdout.split())
    print(f"{DEVICES:,} devices x {PARAMETERS} parameters with limits and bins (CPU time, least of three)")
    print(f"  bare numpy draw {bare:.2f} s, ours {ours:.2f} s; 1.5 times bare plus 1 s is {1.5 * bare + 1:.2f} s")
    print(f"  passed {passed:,.0f}; peak memory of the process {peak_mb:.0f} MB")


def main() -> None:
    in_process()
    over_tcp()
    sweep()
    population()


if __name__ == "__main__":
    main()
