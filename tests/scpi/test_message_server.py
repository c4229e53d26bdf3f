"""Instruments on TCP: several clients, slow and broken ones, latency on the simulated clock, bounded memory."""

import asyncio
import socket
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from drycell.plugins_sim.instruments.bench import Bench, make_bench
from drycell.sim.cell.instruments import InstrumentServer
from drycell.sim.cell.message_server import CLIENT_LIMIT, LINE_LIMIT, MessageServer
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Kernel
from drycell.sim.kernel.pace import Pace

Story = Callable[[Kernel, Bench, dict[str, MessageServer]], Awaitable[None]]


def with_bench(story: Story, pace: float | None = 1000.0, **data: object) -> None:
    """The bench on free ports, on a kernel's loop: paced, so that real sockets and simulated time go together."""
    kernel = Kernel(pace=Pace(pace))
    bench = make_bench(data, lambda: kernel.now_ns)
    servers = {name: MessageServer(one) for name, one in bench.served.items()}

    async def main() -> None:
        for server in servers.values():
            await server.start()
        try:
            await story(kernel, bench, servers)
        finally:
            for server in servers.values():
                await server.stop()

    try:
        kernel.run(main())
    finally:
        kernel.close()


class Client:
    def __init__(self, server: MessageServer) -> None:
        self._server = server

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, message: str) -> str:
        self.writer.write(f"{message}\n".encode())
        return (await self.reader.readline()).decode().rstrip("\n")


@pytest.mark.row("DVT-092", "DVT-097")
def test_two_clients_of_one_port_share_one_instrument_and_one_physics() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["psu"]) as one, Client(servers["psu"]) as two, Client(servers["dmm"]) as meter:
            one.writer.write(b"\n  \nVOLT 5\r\nOUTP ON\n\n")
            assert await one.ask("VOLT?") == "5.000"
            assert await two.ask("VOLT?;:OUTP?") == "5.000;1"
            assert float(await meter.ask("MEAS:VOLT:DC?")) == pytest.approx(3.3, abs=1e-4)
            await asyncio.gather(*(client.ask("*IDN?") for client in (one, two, meter)))

    with_bench(story)


def test_an_error_says_nothing_on_the_wire_so_the_next_answer_belongs_to_its_question() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["psu"]) as client:
            for wrong in ("VOLT -1", "BOGUS?", "VOLT? 1,2", "MEAS:VOLT", '"'):
                client.writer.write(f"{wrong}\n".encode())
                assert await client.ask("*IDN?") == "drycell,PS-SIM-001,PSSIM001,1.0.0"
            assert (await client.ask("SYST:ERR:COUN?")) == "5"

    with_bench(story)


def test_a_client_that_does_not_read_does_not_hold_up_another() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["psu"]) as good:
            deaf = socket.create_connection(("127.0.0.1", servers["psu"].port))
            deaf.setblocking(False)
            sent = 0
            try:
                while sent < 50_000_000:
                    sent += deaf.send(b"*IDN?\n" * 4000)
                    await good.ask("VOLT?")
            except BlockingIOError:
                pass
            assert 0 < sent < 50_000_000
            for _ in range(50):
                assert await good.ask("*IDN?") == "drycell,PS-SIM-001,PSSIM001,1.0.0"
            deaf.close()
            assert await good.ask("VOLT?") == "0.000"

    with_bench(story)


@pytest.mark.row("DVT-098")
def test_broken_connections_are_forgotten() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        server = servers["dmm"]
        for data in (b"", b"MEAS:VO", b"READ?\n" * 50, b"\xff\x00\n"):
            rude = socket.create_connection(("127.0.0.1", server.port))
            rude.sendall(data)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            rude.close()
        async with Client(server) as client:
            assert await client.ask("*IDN?") == "drycell,DMM-SIM-001,DMMSIM001,1.0.0"
            while len(server._clients) > 1:
                await client.ask("CONF?")

    with_bench(story)


def test_a_line_too_long_is_dropped_and_reported() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["psu"]) as client:
            client.writer.write(b"VOLT " + b"1" * (3 * LINE_LIMIT) + b"\n")
            assert await client.ask("SYST:ERR?") == '-363,"Input buffer overrun"'
            assert await client.ask("SYST:ERR?") == '0,"No error"'

    with_bench(story)


def test_a_connection_holds_little_memory_whatever_is_sent() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        server = servers["psu"]
        before = tracemalloc.get_traced_memory()[0]
        async with Client(server) as client:
            for _ in range(200):
                client.writer.write(b"x" * LINE_LIMIT)
                await client.writer.drain()
            own = next(iter(server._clients))
            client.writer.write(b"\n")
            await client.ask("*IDN?")
            assert len(own._buffer) == 0
        assert tracemalloc.get_traced_memory()[1] - before < 4_000_000

    tracemalloc.start()
    try:
        with_bench(story)
    finally:
        tracemalloc.stop()


def test_a_client_that_asks_for_blocks_and_does_not_read_costs_one_answer() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        server = servers["digitizer"]
        async with Client(server) as client:
            client.writer.write(b"ACQ:POIN 1000000;SRAT 1e8;:INIT\n")
            assert await client.ask("*OPC?") == "1"
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(50):  # 2 MB each
                client.writer.write(b"WAV:DATA?\n")
            async with Client(server) as other:
                for _ in range(50):
                    assert await other.ask("WAV:FORM?") == "WORD"
            assert tracemalloc.get_traced_memory()[0] - before < 8_000_000

    tracemalloc.start()
    try:
        with_bench(story)
    finally:
        tracemalloc.stop()


def test_an_answer_comes_after_the_latency_of_simulated_time() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["dmm"]) as one, Client(servers["dmm"]) as two:
            start = kernel.now_ns
            one.writer.write(b"VOLT:NPLC 50\n")
            await one.ask("READ?")
            assert kernel.now_ns - start >= 1_000_000_000
            start = kernel.now_ns
            await asyncio.gather(one.ask("READ?"), two.ask("READ?"))  # one instrument: one after the other
            assert kernel.now_ns - start >= 2_000_000_000

    with_bench(story, pace=100.0)


def test_a_client_that_ends_its_side_still_gets_its_answer() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["dmm"]) as client:
            client.writer.write(b"READ?\n*IDN?\n")
            client.writer.write_eof()
            assert await client.reader.read() == b"0.000000\ndrycell,DMM-SIM-001,DMMSIM001,1.0.0\n"

    with_bench(story)


def test_a_block_crosses_the_wire_whole() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        async with Client(servers["digitizer"]) as client:
            client.writer.write(b"ACQ:POIN 100000;SRAT 1e7;:INIT\n")
            assert await client.ask("*OPC?") == "1"
            client.writer.write(b"WAV:DATA?\n")
            assert await client.reader.readexactly(8) == b"#6200000"
            assert await client.reader.readexactly(200_001) == b"\x00" * 200_000 + b"\n"
            assert await client.ask("*IDN?") == "drycell,DG-SIM-001,DGSIM001,1.0.0"

    with_bench(story)


@pytest.mark.row("DVT-093", "DVT-094", "DVT-095", "DVT-096")
def test_start_stop_start_on_the_same_port_twenty_times() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        server = servers["psu"]
        with pytest.raises(DrycellError, match="already"):
            await server.start()
        taken = MessageServer(bench.served["dmm"], port=server.port)
        with pytest.raises(DrycellError, match="take another port"):
            await taken.start()
        assert not taken.is_running
        port = server.port
        for _ in range(20):
            async with Client(server) as client:
                assert await client.ask("*IDN?") == "drycell,PS-SIM-001,PSSIM001,1.0.0"
            await server.stop()
            await server.stop()
            assert not server.is_running
            await server.start()
            assert server.port == port and server.is_running

    with_bench(story)


def test_more_clients_than_can_be_are_turned_away_and_leave_the_others_alone() -> None:
    async def story(kernel: Kernel, bench: Bench, servers: dict[str, MessageServer]) -> None:
        server = servers["psu"]
        async with Client(server) as first:
            assert await first.ask("VOLT?") == "0.000"
            crowd = []
            for _ in range(CLIENT_LIMIT + 5):
                crowd.append(await asyncio.open_connection("127.0.0.1", server.port))
                assert await first.ask("VOLT?") == "0.000"
            assert len(server._clients) == CLIENT_LIMIT
            assert await crowd[-1][0].read() == b""
            for _, writer in crowd:
                writer.close()

    with_bench(story)


def test_a_cell_journals_what_instruments_are_asked_and_may_spoil_answers() -> None:
    kernel = Kernel(pace=Pace(1000.0))
    events: list[tuple[object, ...]] = []
    bench = make_bench({}, lambda: kernel.now_ns)
    spoiled = {"CURR?": [(2 * 10**9, "1.000")], "OUTP?": [], "*OPC?": [(0, "7")]}
    server = InstrumentServer(
        "psu",
        bench.served["psu"],
        lambda *a, **k: events.append((*a, *k.items())),
        lambda name, line, answer: spoiled.get(line),
    )

    async def main() -> list[bytes]:
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
        writer.write(b"VOLT?\nOUTP?\n*OPC?\nCURR?\n")
        lines = [await reader.readline() for _ in range(3)]
        writer.close()
        server.put("VOLT?", in_process.append)
        await server.stop()
        return lines

    in_process: list[object] = []
    lines = kernel.run(main())
    took_s = kernel.now_ns / 1e9
    kernel.close()
    assert lines == [b"0.000\n", b"7\n", b"1.000\n"] and took_s >= 2.0
    assert events[0] == ("ask", "psu", ("line", "VOLT?"), ("answer", "0.000"))
    assert events[1][3:] == (("answer", None), ("true", "0"))
    assert events[3][3:] == (("answer", "1.000"), ("true", "1.000"), ("after_s", 2.0))
    assert in_process == [[(0, "0.000")]]
