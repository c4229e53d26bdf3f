"""The meter answers every line with one line, and its server is disturbed by nobody."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drycell.plugins_sim.devices.ldo import LdoPopulation
from drycell.plugins_sim.instruments.meter import answer
from drycell.sim.cell.line_server import LINE_LIMIT, LineServer
from drycell.sim.errors import DrycellError

DEVICE = LdoPopulation(7, "L1", 0, 1).device(1)


def at_site_0(site: int) -> object:
    return DEVICE if site == 0 else None


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MEAS:RES? (@1),VIN", "9.9E+37"),
        ("MEAS:VOUT? (@1),5.000", "0.0000"),
        ("MEAS:IQ? (@1)", "0.000"),
        ("MEAS:RAMP? (@1),4.0,4.5,5.0", "0.0000,0.0000,0.0000"),
    ],
)
def test_a_site_without_a_device_reads_as_an_open_circuit(line: str, reply: str) -> None:
    assert answer(line, at_site_0) == reply


def test_long_and_short_forms_in_any_case_are_the_same_question() -> None:
    forms = ("MEAS:RES? (@0),VIN", "measure:resistance? (@0), vin", ":MEAS:RES?(@0),VIN")
    assert {answer(form, at_site_0) for form in forms} == {"0.578"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("MEAS:POWER? (@0)", "unknown command 'MEAS:POWER'"),
        ("MEAS:VOUT? 5.0", "not a question"),
        ("MEAS:VOUT?", "needs a channel list"),
        ("MEAS:VOUT? (@0),5V", "'5V' is no input voltage"),
        ("MEAS:VOUT? (@0),nan", "'nan' is no input voltage"),
        ("MEAS:VOUT? (@0),21", "'21' is no input voltage"),
        ("MEAS:VOUT? (@0),1,2", "one input voltage expected, 2 given"),
        ("MEAS:RES? (@0),GND", "needs one pin of VIN or VOUT"),
        ("MEAS:RAMP? (@0)", "needs 1 to 1000 input voltages"),
        ("", "not a question"),
    ],
)
def test_what_cannot_be_answered_is_an_error_line_with_the_reason(line: str, reason: str) -> None:
    reply = answer(line, at_site_0)
    assert reply.startswith("ERROR ")
    assert reason in reply


@given(st.text() | st.from_regex(r"MEAS:(RES|VOUT|IQ|RAMP)\? \(@\d+\),[^\n]*", fullmatch=True))
def test_every_line_gets_exactly_one_line(line: str) -> None:
    reply = answer(line, at_site_0)
    assert reply
    assert reply.isascii()
    assert "\n" not in reply


def with_server(story: Callable[[LineServer], Awaitable[None]], reply: Callable[[str], str] | None = None) -> None:
    async def run() -> None:
        server = LineServer(reply or (lambda line: answer(line, at_site_0)))
        await server.start()
        try:
            await story(server)
        finally:
            await server.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


async def ask(server: LineServer, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(data)
    writer.write_eof()
    reply = await reader.read()
    writer.close()
    return reply


def test_questions_in_pieces_and_in_one_packet_are_answered_in_order() -> None:
    async def story(server: LineServer) -> None:
        assert (
            await ask(server, b"MEAS:RES? (@0),VIN\nMEAS:VOUT? (@0)\r\n\nMEAS:IQ? (@1)\n")
            == b"0.578\n3.2875\n0.000\n"
        )
        reader, writer = await asyncio.open_connection(server.host, server.port)
        for piece in (b"MEAS:", b"VOUT? (", b"@0)\n"):
            writer.write(piece)
            await writer.drain()
            assert await ask(server, b"*IDN?\n") == b"drycell,bench meter,0,1\n"
        assert await reader.readline() == b"3.2875\n"
        writer.close()

    with_server(story)


def test_a_line_without_end_is_refused_and_the_connection_closed() -> None:
    async def story(server: LineServer) -> None:
        reply = await ask(server, b"x" * (LINE_LIMIT + 1))
        assert reply == f"ERROR line longer than {LINE_LIMIT} characters\n".encode()

    with_server(story)


def test_bytes_that_are_no_text_get_an_error_line() -> None:
    async def story(server: LineServer) -> None:
        assert (await ask(server, b"\xff\x00\xfe\n")).startswith(b"ERROR not a question")

    with_server(story)


def test_a_client_that_does_not_read_and_one_that_breaks_off_disturb_nobody() -> None:
    async def story(server: LineServer) -> None:
        deaf = socket.create_connection((server.host, server.port))
        deaf.setblocking(False)
        sent = 0
        try:
            while sent < 50_000_000:
                sent += deaf.send(b"big\n" * 1000)
                await asyncio.sleep(0)
        except BlockingIOError:
            pass
        assert sent < 50_000_000  # the server has stopped to listen to it
        broken = socket.create_connection((server.host, server.port))
        broken.send(b"MEAS:VOUT? (")
        broken.close()
        assert await ask(server, b"hello\n") == b"y" * 5000 + b"\n"
        deaf.close()

    with_server(story, lambda line: "y" * 5000)


def test_an_occupied_port_is_one_sentence() -> None:
    async def story(server: LineServer) -> None:
        with pytest.raises(DrycellError, match=f"cannot listen on 127.0.0.1:{server.port}"):
            await LineServer(lambda line: line, port=server.port).start()

    with_server(story)


def test_stop_closes_the_port_and_what_is_open() -> None:
    async def story(server: LineServer) -> None:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"*IDN?\n")
        await reader.readline()
        await server.stop()
        assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(server.host, server.port)
        writer.close()

    with_server(story)
