"""Measured: SCPI queries per second, and a population with limits and bins against the bare draw of its numbers."""

import asyncio
import resource
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from drycell.plugins_sim.devices.production import Limit, Spread, bin_population, draw_population
from drycell.plugins_sim.instruments.bench import make_bench
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.kernel import Kernel
from drycell.sim.kernel.pace import REAL

QUERIES = 5000
DEVICES, PARAMETERS = 1_000_000, 50


def rate(action: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    for number in range(count):
        action(number)
    return count / (time.perf_counter() - start)


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

    print("queries per second, in-process")
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
        start = time.perf_counter()
        for _ in range(QUERIES):
            writer.write(b"*IDN?\n")
            await reader.readline()
        single = QUERIES / (time.perf_counter() - start)
        start = time.perf_counter()
        writer.write(b"*IDN?\n" * QUERIES)
        for _ in range(QUERIES):
            await reader.readline()
        together = QUERIES / (time.perf_counter() - start)
        writer.close()
        await server.stop()
        return single, together

    single, together = kernel.run(main())
    kernel.close()
    print("queries per second over TCP, client in the same loop")
    print(f"  *IDN?, one after the other              {single:10,.0f}")
    print(f"  *IDN?, sent together                    {together:10,.0f}")


def sweep() -> None:
    now = [0]
    bench = make_bench({"profile": "seed"}, lambda: now[0])
    start = time.perf_counter()
    bench.ask("psu", "VOLT 5;:OUTP ON")
    for target in (-40, -20, 0, 25, 50, 85, 125):
        bench.ask("chamber", f"TEMP:SETPOINT {target}")
        while bench.ask("chamber", "TEMP:STAB?") == "0":
            now[0] += 1_000_000_000
        now[0] += 10_000_000_000
        bench.ask("dmm", "MEAS:VOLT:DC?")
    wall = time.perf_counter() - start
    print(f"temperature sweep of {now[0] / 1e9:.0f} simulated s: {wall * 1000:.0f} ms of wall time")


def population() -> None:
    limits = [Limit(-2.5, 2.5, 10 + k, 2 + k % 5) for k in range(PARAMETERS)]
    bare, ours = [], []
    for _ in range(3):
        start = time.perf_counter()
        generator = np.random.Generator(np.random.Philox(1))
        for _ in range(PARAMETERS):
            generator.standard_normal(DEVICES)
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        binned = bin_population(draw_population(7, "lot", 1, DEVICES, [Spread()] * PARAMETERS), limits)
        ours.append(time.perf_counter() - start)
    tracemalloc.start()
    bin_population(draw_population(7, "lot", 1, DEVICES, [Spread()] * PARAMETERS), limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{DEVICES:,} devices x {PARAMETERS} parameters with limits and bins")
    print(f"  bare numpy draw {min(bare):.2f} s, ours {min(ours):.2f} s, ratio {min(ours) / min(bare):.2f}")
    print(f"  passed {int((binned.soft == 1).sum()):,}; peak of our memory {peak / 1e6:.0f} MB, of the process "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")  # fmt: skip


def main() -> None:
    in_process()
    over_tcp()
    sweep()
    population()


if __name__ == "__main__":
    main()
