"""Instruments under random programs and fuzzed lines: Kirchhoff's laws hold, nothing crashes, no answer is out of step.

``python -m tests.quality.scpi [--programs N] [--lines N] [--jobs N]`` ends with 1 when something is wrong. The same code
at a smaller size is part of ``make test`` (tests/scpi/test_random_programs.py). A program is a function of its number,
a stream of lines of its instrument's name and its number, so what fails once fails again.
"""

import argparse
import asyncio
import random
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from drycell.plugins_sim.instruments.bench import USUAL, make_bench
from drycell.plugins_sim.instruments.multimeter import OVERLOAD, RANGES
from drycell.plugins_sim.instruments.scpi import Failure, ScpiInstrument
from drycell.plugins_sim.instruments.scpi.message import Unit
from drycell.plugins_sim.instruments.scpi.response import OVERRANGE
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.kernel import Kernel
from tests.scpi.support import Rig

PROGRAMS, LINES = 10_000, 1_000_000
MILLI, MICRO = 0.5e-3, 0.5e-6
"""Stated accuracy: half of the last digit. Supply and load show thousandths, the multimeter millionths."""
RELAY_OHM = 0.05
_SLACK = 1e-8
BATCH = 500
STREAMS = 4
"""Lines that are sent before the answers are compared; streams of lines per instrument."""
DEVICES = (
    {"model": "ldo"},
    {"model": "ldo", "parameters": {"dropout_voltage": 0.6, "line_regulation_v_per_v": 0.002}},
    {"model": "battery", "parameters": {"capacity_ah": 0.5, "series_ohm": 0.1}},
    {"model": "contact", "parameters": {"contact_ohm": 2.0}},
    {"model": "adc"},
    {"model": "hall"},
)


# random programs ---------------------------------------------------------------------------------------------------


def program(draw: random.Random) -> Iterator[tuple[str, str]]:
    """Some commands to supply, load, meter, unit, switch, chamber and magnet, right and wrong ones."""
    for _ in range(draw.randrange(4, 16)):
        yield draw.choice(
            (
                ("psu", f"VOLT {draw.choice((0, 0.5, 3.3, 3.6, 5, 12, 60, draw.uniform(0, 20)))}"),
                ("psu", f"CURR {draw.choice((0, 0.01, 0.2, 1, 10, draw.uniform(0, 2)))}"),
                ("psu", f"OUTP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("load", f"CURR {draw.choice((0, 0.001, 0.1, 0.5, 2, draw.uniform(0, 1)))}"),
                ("load", f"RES {draw.choice((0.01, 1, 33, 1e6))}"),
                ("load", f"VOLT {draw.choice((0, 1, 3, 150))}"),
                ("load", f"FUNC {draw.choice(('CURR', 'CURR', 'RES', 'VOLT'))}"),
                ("load", f"INP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("smu", f"SOUR:VOLT {draw.choice((-40, -1, 0, 2, 3.3, 5, 40))}"),
                ("smu", f"SOUR:CURR {draw.choice((-3, -1e-3, 0, 1e-6, 0.1, 3))}"),
                ("smu", f"SENS:CURR:PROT {draw.choice((1e-9, 1e-3, 0.1, 3))}"),
                ("smu", f"SENS:VOLT:PROT {draw.choice((1e-3, 2, 20, 40))}"),
                ("smu", f"FUNC {draw.choice(('VOLT', 'CURR'))}"),
                ("smu", f"OUTP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("switch", f"ROUT:{draw.choice(('CLOS', 'CLOS', 'OPEN'))} (@{draw.choice((101, 102, 103))})"),
                ("chamber", f"TEMP:SETPOINT {draw.choice((-40, 25, 125))}"),
                ("magnet", f"FIEL {draw.choice((-1, 0, 0.5))};:OUTP ON"),
                ("psu", draw.choice(("VOLT -1", "VOLT 99", "BOGUS", "OUTP MAYBE", "MEAS:VOLT", "BOGUS?"))),
                ("dmm", draw.choice(("CONF:RES", "CONF:VOLT:DC", "MEAS:RES?", "READ?", "MEAS:VOLT?"))),
            )
        )


def run_program(number: int) -> None:
    """Raises AssertionError when readings contradict each other, or an instrument met a fault of its own."""
    draw = random.Random(number)
    rig = Rig(device=draw.choice(DEVICES))
    for name, message in program(draw):
        rig.ask(name, message)
        rig.after(draw.choice((0.0, 1e-3, 0.1, 1.0, 60.0)))
        if draw.random() < 0.3:
            check_kirchhoff(rig)
    check_kirchhoff(rig)
    for name, _ in USUAL:
        assert "-310" not in rig.ask(name, "SYST:ERR:ALL?"), name


def check_kirchhoff(rig: Rig) -> None:
    """What is read at one instant fits: loops, nodes, and the currents that the device takes."""
    read = rig.value
    closed = {int(n) for n in re.findall(r"\d+", rig.ask("switch", "ROUT:CLOS:STAT?"))}
    solution = rig.bench.world.read(0).solution
    supply_volts, supply_amperes = read("psu", "MEAS:VOLT?"), read("psu", "MEAS:CURR?")
    load_volts, load_amperes = read("load", "MEAS:VOLT?"), read("load", "MEAS:CURR?")
    smu_volts, smu_amperes = read("smu", "MEAS:VOLT?"), read("smu", "MEAS:CURR?")
    metered("shunt and load in series", read("dmm", "MEAS:CURR:DC?"), load_amperes, RANGES["CURR:DC"][-1])
    metered("meter and load in parallel", read("dmm", "MEAS:VOLT:DC?"), load_volts, RANGES["VOLT:DC"][-1])
    if rig.ask("psu", "OUTP?") == "1":
        near("supply at its node", supply_volts, solution.voltage("in"), MILLI)
        assert -MILLI <= supply_amperes <= read("psu", "CURR?") + 2 * MILLI, "current limit of the supply"
    given = {"in": supply_amperes, "out": -load_amperes}
    taken = dict.fromkeys(given, 0.0)
    for element in rig.bench.world.sites[0].device.elements:
        for (plus, minus), amperes in zip(element.ports, solution.amperes[id(element)], strict=True):
            for node, sign in ((plus, 1.0), (minus, -1.0)):
                if node in taken:
                    taken[node] += sign * amperes
    digits = 1e-9 * max(1.0, abs(smu_volts)) / RELAY_OHM if closed else 0.0
    through_relays = 0.0
    for relay, node in ((101, "in"), (102, "out"), (103, "gnd")):
        flows = (smu_volts - solution.voltage(node)) / RELAY_OHM if relay in closed else 0.0
        through_relays += flows
        if node in given:
            near(f"node {node}", given[node] + flows, taken[node], MILLI + digits)
    near("relays", through_relays, smu_amperes, 3 * digits)


def metered(what: str, shown: float, other: float, highest_range: float) -> None:
    """The multimeter agrees with another reading, or shows an overload of its highest range."""
    if shown == float(OVERRANGE):
        assert other > OVERLOAD * highest_range - MILLI, f"{what}: an overload at {other!r}"
    else:
        near(what, shown, other, MILLI + MICRO)


def near(what: str, one: float, other: float, within: float) -> None:
    """Raises AssertionError when two readings differ by more than their accuracy."""
    assert abs(one - other) <= within + _SLACK, f"{what}: {one!r} and {other!r} differ by more than {within!r}"


# fuzzed lines ------------------------------------------------------------------------------------------------------

WORDS = (
    "VOLT", "CURR", "OUTP", "MEAS", "SOUR", "SENS", "CONF", "READ", "TEMP", "SETPOINT", "SYST", "ERR", "STAT", "OPER",
    "ROUT", "CLOS", "WAV", "DATA", "ACQ", "POIN", "INIT", "FIEL", "*IDN", "*RST", "*ESE", "*OPC", "PROT", "RANG", "DC",
)  # fmt: skip
BITS = (
    "?", "?", ";", ":", " ", ",", "(@", ")", "101", "1!2", "1:3", "#210abc", "#9", '"', "'", "5", "-1", "1e999", "1E5",
    "mV", "KOHM", "MIN", "MAX", "DEF", "ON", "OFF", "AUTO", "\t", "\x00", "\xff", "\xe9", "0x1", "#H", "#HFF", "NAN",
    "999999999999999999999", "1..2", "((", "@", "*", "**", "\\", "%s", "{}",
)  # fmt: skip


def fuzzed(draw: random.Random, headers: Sequence[str]) -> bytes:
    """A line that nobody would send: bytes, words and signs of the language in any order, or true commands with any
    parameters, some of them cut or with signs in the wrong place."""
    kind = draw.random()
    if kind < 0.1:
        return draw.randbytes(draw.randrange(60)).replace(b"\n", b"")
    if kind < 0.4:
        parts = [draw.choice(WORDS if draw.random() < 0.5 else BITS) for _ in range(draw.randrange(1, 12))]
        return (":" if kind < 0.3 else "").join(parts).encode("latin-1")
    units = [f"{draw.choice(headers)}{_parameters(draw)}" for _ in range(draw.randrange(1, 4))]
    line = draw.choice((";", ";:", ";", ",")).join(units)
    if draw.random() < 0.3:
        at = draw.randrange(len(line))
        line = line[:at] + draw.choice(("", draw.choice(BITS))) + line[at + draw.randrange(3) :]
    return line.encode("latin-1")


def _parameters(draw: random.Random) -> str:
    ask = draw.choice(("?", "?", ""))
    given = ",".join(draw.choice(BITS) for _ in range(draw.choice((0, 0, 1, 1, 2, 3))))
    return f"{ask} {given}" if given else ask


def headers_of(patterns: Iterable[tuple[str, bool, bool]]) -> list[str]:
    """The commands of an instrument in full, without what may be left out."""
    return [re.sub(r"\[.*?\]", "", pattern).replace("#", "1") for pattern, _, _ in patterns]


def fuzz_server(name: str, number: int, count: int) -> int:
    """Send ``count`` lines, stream ``number``, to the instrument ``name`` over TCP, cut anywhere, and compare every byte
    that comes back with what an equal instrument answers in-process. A second client asks ``*IDN?`` all the while.

    Returns how many lines were answered. Raises AssertionError when an answer is out of step or an instrument met a
    fault of its own.
    """
    now_ns = 0
    served, twin = (make_bench({}, lambda: now_ns).instruments[name].scpi for _ in range(2))
    faults = faults_of(twin)
    draw = random.Random(f"{name} {number}")
    headers = headers_of(twin.patterns)
    identity = twin.reply(b"*IDN?") + b"\n"

    async def main() -> int:
        nonlocal now_ns
        server = MessageServer(served)
        await server.start()
        reader, writer = await asyncio.open_connection(server.host, server.port)
        witness, asking = await asyncio.open_connection(server.host, server.port)
        answered = 0
        for first in range(0, count, BATCH):
            lines = [fuzzed(draw, headers) for _ in range(min(BATCH, count - first))]
            answers = [answer for line in lines if line.strip() and (answer := twin.reply(line.removesuffix(b"\r")))]
            expected = b"".join(answer + b"\n" for answer in answers) + identity
            sending = asyncio.ensure_future(
                _send(writer, b"".join(line + b"\n" for line in lines) + b"*IDN?\n", draw)
            )
            asking.write(b"*IDN?\n")
            got = await reader.readexactly(len(expected))
            assert got == expected, f"{name}, stream {number}: out of step among the lines from {first} on"
            assert await witness.readexactly(len(identity)) == identity
            await sending
            assert served.reply(b"SYST:ERR:ALL?") == twin.reply(b"SYST:ERR:ALL?")
            assert not faults, f"{name}, stream {number}: {faults[0]}"
            answered += len(answers)
            now_ns += draw.randrange(10**10)
        writer.close()
        asking.close()
        await server.stop()
        return answered

    kernel = Kernel()
    try:
        return kernel.run(main())
    finally:
        kernel.close()


def faults_of(instrument: ScpiInstrument) -> list[str]:
    """Grows by every fault of its own that the instrument meets from now on; its error queue may be full by then."""
    found: list[str] = []
    carry_out = instrument._carry_out

    def watched(unit: Unit) -> str | bytes | None:
        try:
            return carry_out(unit)
        except Failure:
            raise
        except Exception as error:
            found.append(f"{unit}: {error!r}")
            raise

    instrument._carry_out = watched  # type: ignore[method-assign]
    return found


async def _send(writer: asyncio.StreamWriter, data: bytes, draw: random.Random) -> None:
    """Send in pieces of any size."""
    while data:
        cut = draw.randrange(1, 2000)
        writer.write(data[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        data = data[cut:]


# the whole size ----------------------------------------------------------------------------------------------------


def run_programs(numbers: Sequence[int]) -> str:
    """What went wrong first, "" for nothing."""
    for number in numbers:
        try:
            run_program(number)
        except AssertionError as error:
            return f"program {number}: {error}"
    return ""


def fuzz(name: str, number: int, count: int) -> str:
    """The same for lines."""
    try:
        fuzz_server(name, number, count)
    except AssertionError as error:
        return str(error)
    return ""


def main(words: Sequence[str] | None = None) -> int:
    """Run all, print what went wrong and how much memory the hungriest process took."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality.scpi", description=__doc__)
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--jobs", type=int, default=2)
    told = parser.parse_args(words)
    start_s = time.monotonic()
    share = max(1, told.lines // len(USUAL) // STREAMS)
    with ProcessPoolExecutor(told.jobs, get_context("spawn")) as pool:
        tasks = [pool.submit(run_programs, range(first, min(first + 250, told.programs)))
                 for first in range(0, told.programs, 250)]  # fmt: skip
        tasks += [pool.submit(fuzz, name, number, share) for name, _ in USUAL for number in range(STREAMS)]
        wrong = [text for task in tasks if (text := task.result())]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{told.programs:,} programs, {share * STREAMS * len(USUAL):,} lines over TCP: {len(wrong)} failures; "
        f"{used.ru_utime + used.ru_stime:.0f} s of CPU, {time.monotonic() - start_s:.0f} s, "
        f"at most {used.ru_maxrss / 1024:.0f} MB in a process"
    )
    for text in wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
