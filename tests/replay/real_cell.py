"""The real Semi-ATE master, controls and test program on a live broker, in the test's own time.

What the floor would add is played here: a meter per site on TCP, a handler that loads a lot, brings the devices and
unloads, and a chamber that takes half a second. The chamber answers the master; when the master does not ask it, it
answers the programs itself, because master 1.0.17 forgets a request that comes before it has released the site.
"""

import json
import os
import select
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.plugins_sim.devices.ldo import DEFECTS, Ldo, LdoPopulation
from drycell.plugins_sim.instruments.meter import answer
from drycell.sim.broker import codec
from drycell.sim.cell.semi_ate import Prepared, prepare
from drycell.sim.replay.stored import SUFFIX, segments
from tests.broker.mosquitto import mosquitto
from tests.replay.floor import capturing

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
DEVICE, HANDLER, LOT = "D", "handler", "306426.001"
SITES = ("0", "1")
CHAMBER_S = 0.5
_PATIENCE_S = 60.0


class MasterGaveUpError(Exception):
    """Master 1.0.17 takes a message that comes sooner than it expected for an error, on a busy machine now and then."""


class Floor:
    """Meters, chamber and handler, as one client of the broker and a TCP port per site."""

    def __init__(self, port: int, lot: Sequence[Ldo]) -> None:
        self._lot = lot
        self._touching: dict[str, Ldo] = {}
        self._line = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framer = codec.Framer()
        self._heard: list[tuple[str, dict[str, object]]] = []
        self._asking: set[str] = set()
        self._answer: dict[str, object] = {}
        self._answer_to = ""
        self._answer_s = float("inf")
        levels = ("Master/#", "TestApp/io-control/+/request", "+/io-control/request")
        filters = [(f"ate/{DEVICE}/{level}", 0) for level in levels]
        hello = codec.encode_connect(codec.Connect(f"handler.{HANDLER}"))
        self._line.sendall(hello + codec.encode_subscribe(1, filters))

    def lot(self) -> None:
        """Load, test all devices, unload; the last touchdown may leave a site empty."""
        self._state("initialized")
        self._handler_says("initialized")
        self._command("load", lot_number=LOT, devicetype="ldo", temperature="25")
        self._state("ready")
        for begin in range(0, len(self._lot), len(SITES)):
            numbers = dict(zip(SITES, range(begin + 1, len(self._lot) + 1), strict=False))
            self._touching = {site: self._lot[number - 1] for site, number in numbers.items()}
            parts = [
                {"siteid": site, "partid": str(number), "binning": -1, "logflag": 0, "additionalinfo": ""}
                for site, number in numbers.items()
            ]
            self._command("next", sites=parts)
            self._await(lambda topic, said: topic.endswith("/response") and said.get("type") == "next")
            self._state("ready")
        self._command("unload")
        self._state("initialized")

    def measure(self, site: str, line: str) -> str:
        """What the meter of ``site`` answers."""
        return answer(line, lambda _: self._touching.get(site))

    def close(self) -> None:
        self._line.close()

    def _command(self, kind: str, **payload: object) -> None:
        self._publish(f"ate/{DEVICE}/Master/cmd", {"type": kind, "payload": payload})

    def _handler_says(self, state: str) -> None:
        said = {"type": "status", "payload": {"state": state, "message": ""}}
        self._publish(f"ate/{HANDLER}/Handler/status", said)

    def _publish(self, topic: str, said: dict[str, object]) -> None:
        self._line.sendall(codec.encode_publish(topic, json.dumps(said).encode(), 0, False, 0))

    def _state(self, name: str) -> None:
        self._await(lambda topic, said: topic.endswith("Master/status") and said.get("state") == name)

    def _await(self, wanted) -> None:
        """Take messages until ``wanted``; the chamber answers meanwhile."""
        while True:
            while self._heard:
                topic, said = self._heard.pop(0)
                if said.get("state") == "softerror":
                    raise MasterGaveUpError
                if "/io-control/" in topic:
                    self._asked(topic, said)
                if wanted(topic, said):
                    return
            ready, _, _ = select.select(
                [self._line], [], [], max(0.0, min(self._answer_s - time.monotonic(), _PATIENCE_S))
            )
            if not ready:
                assert self._answer_s < float("inf"), "nothing happens any more"
                self._answer_s = float("inf")
                self._publish(self._answer_to, self._answer)
                continue
            data = self._line.recv(1 << 16)
            assert data, "the broker closed the connection"
            for first, body in self._framer.feed(data):
                if first >> 4 == codec.PUBLISH:
                    topic, payload, *_ = codec.decode_publish(first, body)
                    self._heard.append((topic, json.loads(payload)))

    def _asked(self, topic: str, said: dict[str, object]) -> None:
        """A program asks, or the master does for all of them."""
        self._answer = {"type": "io-control-response", "ioctl_name": said["ioctl_name"], "result": {"status": "ok"}}
        if "/TestApp/" not in topic:
            self._answer_to = topic.replace("/request", "/response")
            return
        self._asking.add(topic)
        if len(self._asking) == len(self._touching):
            self._asking.clear()
            self._answer_to = f"ate/{DEVICE}/Master/{said['periphery_type']}/response"
            self._answer_s = time.monotonic() + CHAMBER_S


def population(size: int, seed: int = 5) -> list[Ldo]:
    """The devices of the lot; so many defects that some fail."""
    lot = LdoPopulation(seed, LOT, 0, size, {}, {kind: 3 * share for kind, share in DEFECTS.items()})
    return [lot.device(number) for number in range(1, size + 1)]


@contextmanager
def real_cell(port: int, folder: Path, devices: int) -> Iterator[Floor]:
    """Master, two controls and their programs on the broker at ``port``; files in ``folder``."""
    prepared = prepare(DEMO, with_master=True)
    with ExitStack() as stack:
        floor = Floor(port, population(devices))
        stack.callback(floor.close)
        for site in SITES:
            meter = stack.enter_context(_meter(floor, site))
            settings = {"broker_host": "127.0.0.1", "broker_port": port, "device_id": DEVICE, "site_id": site}
            stack.enter_context(_program(prepared, "control", folder / f"control{site}", settings, meter))
        stack.enter_context(_program(prepared, "master", folder / "master", _master(port, folder, prepared), ""))
        yield floor


@contextmanager
def _meter(floor: Floor, site: str) -> Iterator[str]:
    class Lines(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(floor.measure(site, line.decode().strip()).encode() + b"\n")

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextmanager
def _program(prepared: Prepared, name: str, folder: Path, settings: dict[str, object], meter: str) -> Iterator[None]:
    folder.mkdir()
    (folder / f"{name}_config_file.json").write_text(json.dumps(settings))
    environment = {**os.environ, "DRYCELL_METER": meter, "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "output.txt").open("wb") as out:
        process = subprocess.Popen(
            [prepared.python.with_name(f"launch_{name}")],
            cwd=folder, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _master(port: int, folder: Path, prepared: Prepared) -> dict[str, object]:
    (folder / "jobs").mkdir()
    (folder / "jobs" / f"le{LOT}.xml").write_text(_job(prepared))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        web = probe.getsockname()[1]
    return {
        "broker_host": "127.0.0.1", "broker_port": port, "device_id": DEVICE, "sites": list(SITES),
        "Handler": HANDLER, "environment": "test", "webui_host": "127.0.0.1", "webui_port": web,
        "webui_root_path": str(folder), "jobsource": "filesystem", "jobformat": "xml.semi-ate",
        "filesystemdatasource_path": str(folder / "jobs"), "filesystemdatasource_jobpattern": "le#jobname#.xml",
        "enable_timeouts": True, "user_settings_filepath": str(folder / "settings.json"),
        "site_layout": [[0, 0], [0, 1]], "tester_type": "Semi_ATE Master Parallel Tester", "loglevel": 20,
    }  # fmt: skip


def _job(prepared: Prepared) -> str:
    """The job file that the master reads for a lot."""
    rows = json.loads((DEMO / "binning.json").read_text())["bin-table"]
    entries = "".join(
        f"<ENTRY {' '.join(f'{key}={json.dumps(value)}' for key, value in row.items())}/>" for row in rows
    )
    station = (
        f"<TESTER1>{DEVICE}</TESTER1><USERTEXT1>none</USERTEXT1><PROGRAM_DIR1>{prepared.program}</PROGRAM_DIR1>"
        f"<TEMP1>25</TEMP1><TESTERPRG1>{prepared.program.stem}</TESTERPRG1><BINTABLE>{entries}</BINTABLE>"
    )
    return (
        f"<LOT><MAIN><LOTNUMBER>{LOT}</LOTNUMBER><PACKAGEID_SHORT>SOT23</PACKAGEID_SHORT><MATCHCODE>ldo33</MATCHCODE></MAIN>"
        f"<CLUSTER><HANDLER_PROBER>{HANDLER}</HANDLER_PROBER><TESTER1>{DEVICE}</TESTER1></CLUSTER>"
        "<TESTPROGRAM>x</TESTPROGRAM><HANDLERSECTION>x</HANDLERSECTION><PAT>x</PAT>"
        f"<STATION><STATION1>{station}</STATION1></STATION>"
        "<DIEELEMENT_COUNT>1</DIEELEMENT_COUNT><DIEELEMENT>x</DIEELEMENT></LOT>"
    )


def record(folder: Path, devices: int) -> tuple[Path, Path]:
    """Capture a real lot; returns the capture's folder and the master's STDF file. A lot that fails is begun again."""
    for attempt in range(5):
        try:
            return _record(folder / str(attempt), devices)
        except MasterGaveUpError:
            continue
    raise AssertionError("the master gave up each time")


def _record(folder: Path, devices: int) -> tuple[Path, Path]:
    broker = folder / "broker"
    broker.mkdir(parents=True)
    with (
        mosquitto(broker, "set_tcp_nodelay true") as port,
        capturing(port, folder / "capture"),
        real_cell(port, folder, devices) as floor,
    ):
        floor.lot()
    return folder / "capture", folder / "master" / "temp_final_stdf_file_on_unload.stdf"


def _renew(size: int) -> None:
    """Write the recording of a real lot that other tests read, with no path of this machine in it."""
    here = Path(__file__).parent / "recordings"
    with TemporaryDirectory() as folder:
        capture, stdf = record(Path(folder), size)
        place = str(prepare(DEMO, with_master=True).program.parent).encode()
        (file,) = segments(capture)
        (here / f"real_lot{SUFFIX}").write_bytes(file.read_bytes().replace(place, b"/floor/ldo"))
        shutil.copyfile(stdf, here / "real_lot.stdf")


if __name__ == "__main__":
    _renew(6)
