"""The recording proxy: production goes through it unchanged, and who said what stands in the recording."""

import os
import socket
import subprocess
import threading
from contextlib import closing, contextmanager

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.replay import Gap, open_recording
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.dialogue import Dialogue
from drycell.sim.replay.proxy import Proxy, Route
from tests.broker.mosquitto import mosquitto, program

MIB = 1 << 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def proxied(folder, *targets):
    """A proxy in a thread of this process; the ports to use instead of the ``targets``."""
    ports = [free_port() for _ in targets]
    routes = [Route.parse(f"{port}={target}") for port, target in zip(ports, targets, strict=True)]
    said, listens = [], threading.Semaphore(0)

    def say(line):
        said.append(line)
        listens.release()

    with closing(Attention()) as attention:
        proxy = Proxy(routes, folder, attention, say, segment_bytes=MIB)

        def run():
            try:
                proxy.run()
            except DrycellError as error:
                said.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            for _ in routes:
                assert listens.acquire(timeout=30)
            yield (*ports, said)
        finally:
            attention.end()
            thread.join(30)


@contextmanager
def serving(answer):
    """A TCP server of one connection; ``answer`` gets it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        thread.join(30)


def echo(connection):
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def test_real_clients_of_a_real_broker_are_heard_packet_by_packet(tmp_path):
    (tmp_path / "broker").mkdir()
    with (
        mosquitto(tmp_path / "broker") as broker,
        proxied(tmp_path / "night", f"mqtt://127.0.0.1:{broker}") as (port, _),
    ):
        place = ["-h", "127.0.0.1", "-p", str(port), "-q", "1"]
        publish = [program("mosquitto_pub"), *place, "-i", "control0", "-t", "ate/x", "-r", "-m", '{"state": "idle"}']
        subprocess.run(publish, check=True)
        listen = [program("mosquitto_sub"), *place, "-i", "master", "-t", "ate/#", "-C", "1", "-W", "20"]
        assert subprocess.run(listen, check=True, capture_output=True).stdout == b'{"state": "idle"}\n'
    recording = open_recording(tmp_path / "night")
    told = [(e.client, e.kind, e.detail.get("name", e.topic)) for e in recording]
    assert [one for one in told if one[0] == "control0"] == [
        ("control0", "connect", ""), ("control0", "packet", "CONNACK"), ("control0", "publish", "ate/x"),
        ("control0", "packet", "PUBACK"), ("control0", "disconnect", ""),
    ]  # fmt: skip
    assert [kind for client, kind, _ in told if client == "master"][:5] == [
        "connect", "packet", "subscribe", "packet", "deliver",
    ]  # fmt: skip
    assert recording.gaps() == ()


def test_questions_to_an_instrument_and_its_answers(tmp_path):
    def meter(connection):
        with connection.makefile("rwb") as lines:
            for line in lines:
                lines.write(b"3.30\r\n" if b"?" in line else b"")
                lines.flush()

    with (
        serving(meter) as target,
        proxied(tmp_path, f"scpi://127.0.0.1:{target}") as (port, _),
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        line.sendall(b"CONF 1\nMEAS:VOLT?\n")
        assert line.makefile("rb").readline() == b"3.30\r\n"
    entries = [(e.kind, e.topic, e.direction, e.payload) for e in open_recording(tmp_path)]
    meter_at = f"127.0.0.1:{target}"
    assert entries == [
        ("scpi", meter_at, "in", b"CONF 1"), ("scpi", meter_at, "in", b"MEAS:VOLT?"), ("scpi", meter_at, "out", b"3.30"),
    ]  # fmt: skip


def test_bytes_that_are_no_mqtt_pass_unchanged_and_are_a_gap(tmp_path):
    noise = os.urandom(3 * MIB)
    with (
        serving(echo) as target,
        proxied(tmp_path, f"mqtt://127.0.0.1:{target}") as (port, _),
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        sender = threading.Thread(target=lambda: (line.sendall(noise), line.shutdown(socket.SHUT_WR)))
        sender.start()
        with line.makefile("rb") as answers:
            assert answers.read() == noise
        sender.join()
    assert open_recording(tmp_path).gaps() != ()


def test_a_full_disk_is_said_and_production_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    with serving(echo) as target, proxied(tmp_path, f"scpi://127.0.0.1:{target}") as (port, said):
        monkeypatch.setattr("drycell.sim.replay.segments.os.write", refuse)
        with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as answers:
            for number in range(3):
                line.sendall(b"%d?\n" % number)
                assert answers.readline() == b"%d?\n" % number
        monkeypatch.undo()
    _, warned, raised = said
    assert "No space left" in warned and "everything is still passed on" in warned
    assert "No space left" in raised and "not recorded from then on" in raised


def test_a_target_that_cannot_be_reached_is_said_and_the_client_is_let_go(tmp_path):
    with (
        proxied(tmp_path, f"scpi://127.0.0.1:{free_port()}") as (port, said),
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        assert line.recv(1) == b""
    assert "cannot be reached" in said[-1]
    (gap,) = open_recording(tmp_path).items()
    assert isinstance(gap, Gap) and "could not be reached" in gap.why


@pytest.mark.parametrize(
    "text", ["", "1884", "1884=http://x", "=mqtt://x", "x=mqtt://y", "70000=mqtt://x", "1=mqtt://", "1=mqtt://x:y"]
)
def test_what_is_no_route_is_refused(text):
    with pytest.raises(DrycellError, match="1884=mqtt://tester7:1883"):
        Route.parse(text)


def test_routes_listen_on_loopback_and_know_the_usual_ports():
    assert Route.parse("1884=mqtt://tester7") == Route(("127.0.0.1", 1884), ("tester7", 1883), "mqtt")
    assert Route.parse("0.0.0.0:1=scpi://m:2") == Route(("0.0.0.0", 1), ("m", 2), "scpi")


def test_messages_come_in_pieces_and_one_without_an_end_is_a_gap():
    one = Dialogue("meter")
    pieces = [b"ME", b"AS?\nME", b"AS?"]
    entries = [entry for piece in pieces for entry in one.feed("in", piece, 5)]
    assert [(entry.payload, entry.t_ns) for entry in entries] == [(b"MEAS?", 5)]
    assert [(gap.where, gap.count) for gap in one.end(6, "closed")] == [("meter", 5)]
    assert list(one.feed("in", b"x" * (MIB + 1), 7)) == [Gap("meter", "no end of a message", MIB + 1)]
