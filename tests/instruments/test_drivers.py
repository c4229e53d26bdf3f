"""Drivers, transports and factory: against a bench served on TCP, and against recorded words."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drycell.plugins_sim.ate import Plugin
from drycell.plugins_sim.instruments.bench import make_bench
from drycell.runtime import instruments as hal
from drycell.runtime.instruments import (
    InstrumentConfig,
    InstrumentError,
    InstrumentFactory,
    TCPTransport,
    Transport,
    VisaTransport,
)
from drycell.runtime.instruments.by_name import DRIVERS
from drycell.runtime.plugins import PluginManager
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.kernel import Kernel
from drycell.sim.kernel.pace import Pace


class Words(Transport):
    """A transport that remembers what was said and answers from a table."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.said: list[str] = []
        self.answers = answers or {}
        self._open = True

    def connect(self) -> None:
        self._open = True

    def disconnect(self) -> None:
        self._open = False

    def write(self, command: str) -> None:
        self.said.append(command)

    def read(self, timeout: float | None = None) -> str:
        return self.answers[self.said[-1]]

    def read_block(self, timeout: float | None = None) -> bytes:
        raise AssertionError("no block here")

    @property
    def is_connected(self) -> bool:
        return self._open


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A whole bench, 1000 times as fast as the wall, in a thread of its own."""
    found: dict[str, int] = {}
    ready, stop = threading.Event(), threading.Event()

    def run() -> None:
        import asyncio

        kernel = Kernel(pace=Pace(1000.0))
        bench = make_bench({}, lambda: kernel.now_ns)
        servers = {name: MessageServer(one) for name, one in bench.served.items()}

        async def main() -> None:
            for name, server in servers.items():
                await server.start()
                found[name] = server.port
            ready.set()
            while not stop.is_set():  # noqa: ASYNC110  # another thread sets it
                await asyncio.sleep(20.0)  # simulated
            for server in servers.values():
                await server.stop()

        kernel.run(main())
        kernel.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait()
    yield found
    stop.set()
    thread.join()


def config_for(ports: dict[str, int]) -> InstrumentConfig:
    return InstrumentConfig(
        simulator_host="127.0.0.1",
        chamber_port=ports["chamber"],
        psu_port=ports["psu"],
        dmm_port=ports["dmm"],
        load_port=ports["load"],
    )


@pytest.mark.row("DVT-106", "DVT-107", "DVT-108", "DVT-119", "DVT-121")
def test_a_program_measures_through_the_interfaces(ports: dict[str, int]) -> None:
    with InstrumentFactory.create(config_for(ports)) as bench:
        assert bench.load is not None
        bench.chamber.set_ramp_rate(600.0)
        bench.chamber.set_temperature(50.0)
        assert bench.chamber.wait_until_stable(timeout=10.0, poll_interval=0.02)
        assert bench.chamber.get_temperature() == pytest.approx(50.0, abs=0.5)
        assert bench.chamber.get_setpoint() == 50.0
        bench.psu.set_voltage(1, 5.0)
        bench.psu.set_current_limit(1, 0.8)
        bench.psu.enable_output(1, True)
        bench.load.set_current(1, 0.25)
        bench.load.enable_input(1, True)
        assert (bench.psu.get_voltage(1), bench.psu.get_current_limit(1)) == (5.0, 0.8)
        assert bench.psu.is_output_enabled(1) and bench.load.is_input_enabled(1)
        assert bench.psu.measure_voltage(1) == 5.0
        assert bench.psu.measure_current(1) == pytest.approx(0.25, abs=1e-3)
        assert bench.load.measure_current(1) == bench.load.get_current(1) == 0.25
        assert bench.load.measure_voltage(1) == pytest.approx(3.305, abs=0.005)
        assert bench.dmm.measure_dc_voltage() == pytest.approx(3.305, abs=0.005)
        assert bench.dmm.measure_dc_voltage(10) == pytest.approx(3.305, abs=0.005)
        assert bench.dmm.measure_dc_voltage(1.0) > 1e37
        assert bench.dmm.measure_dc_current() == pytest.approx(0.25, abs=1e-6)
        bench.dmm.set_integration_time(0.02)
        bench.psu.enable_output(1, False)
        bench.load.enable_input(1, False)
        assert bench.dmm.measure_resistance() > 1e37
    assert not bench.psu.is_connected  # type: ignore[attr-defined]  # it is a driver


@pytest.mark.row("DVT-109")
def test_the_contract_of_errors(ports: dict[str, int]) -> None:
    bench = InstrumentFactory.create(config_for(ports))
    with pytest.raises(ConnectionError, match=r"call connect\(\) first"):
        bench.psu.measure_voltage(1)
    with bench:
        with pytest.raises(OSError, match=r"refused 'VOLT 70.000': -222"):
            bench.psu.set_voltage(1, 70.0)
        with pytest.raises(OSError, match="refused"):
            bench.psu.set_voltage(2, 1.0)
        assert bench.psu.get_voltage(1) == 5.0
    wrong: list[Callable[[], object]] = [
        lambda: bench.psu.set_voltage(0, 1.0),
        lambda: bench.psu.set_voltage(1, -1.0),
        lambda: bench.psu.set_voltage(1, float("nan")),
        lambda: bench.dmm.measure_dc_voltage("LOW"),
        lambda: bench.dmm.measure_dc_voltage(1e6),
        lambda: bench.dmm.set_integration_time(0.0),
        lambda: bench.chamber.set_ramp_rate(0.0),
        lambda: bench.chamber.wait_until_stable(timeout=-1.0),
        lambda: bench.chamber.wait_until_stable(poll_interval=0.0),
    ]
    for action in wrong:
        with pytest.raises(ValueError, match=r"impossible|cannot|no channel|finite"):
            action()


def test_the_further_drivers(ports: dict[str, int]) -> None:
    def at(name: str) -> TCPTransport:
        return TCPTransport("127.0.0.1", ports[name])

    with (
        hal.SourceMeasureDriver(at("smu"), True) as smu,
        hal.SwitchMatrixDriver(at("switch"), True) as switch,
        hal.DigitizerDriver(at("digitizer"), True) as digitizer,
        hal.MagnetDriver(at("magnet"), True) as magnet,
    ):
        switch.open_all()
        switch.close([(1, 2)])
        assert switch.closed() == [(1, 2)]
        smu.source_voltage(1, 1.5, 0.01)
        smu.enable_output(1, True)
        assert smu.measure_voltage(1) == pytest.approx(1.5, abs=1e-6)
        assert smu.measure_current(1) == pytest.approx(0.0, abs=1e-6) and not smu.is_limited(1)
        assert digitizer.acquire(100, 1e5) == pytest.approx([1.5] * 100, abs=1e-3)
        smu.source_current(1, 0.001, 2.0)
        assert smu.measure_voltage(1) == pytest.approx(2.0, abs=1e-5) and smu.is_limited(1)
        switch.open([(1, 2)])
        assert switch.closed() == []
        magnet.set_field(0.01)
        magnet.enable_output(True)
        magnet.operation_complete()
        assert magnet.get_field() == 0.01 and magnet.is_stable()
        smu.reset()


@pytest.mark.row("DVT-116", "DVT-117", "DVT-118")
def test_the_words_that_drivers_say() -> None:
    chamber = hal.ThermalChamberDriver(Words({"TEMP:RAMP?": "5.00"}))
    chamber.set_temperature(85)
    chamber.set_ramp_rate(5)
    assert chamber.get_ramp_rate() == 5.0
    psu = hal.PowerSupplyDriver(Words())
    psu.set_voltage(1, 5)
    psu.set_current_limit(2, 0.5)
    psu.enable_output(1, True)
    psu.enable_output(1, False)
    dmm = hal.MultimeterDriver(Words({"CONF?": '"VOLT:DC"', "READ?": "3.3", "MEAS:VOLT:DC? 10": "1"}))
    dmm.configure_dc_voltage()
    dmm.configure_dc_current()
    assert dmm.get_configuration() == "VOLT:DC" and dmm.read() == 3.3 and dmm.measure_dc_voltage(10) == 1.0
    assert chamber.transport.said == ["TEMP:SETPOINT 85.00", "TEMP:RAMP 5.00", "TEMP:RAMP?"]  # type: ignore[attr-defined]
    assert psu.transport.said == ["VOLT 5.000", "CURR 0.500,(@2)", "OUTP ON", "OUTP OFF"]  # type: ignore[attr-defined]
    assert dmm.transport.said[:2] == ["CONF:VOLT:DC", "CONF:CURR:DC"]  # type: ignore[attr-defined]


@pytest.mark.row("DVT-106", "DVT-116")
def test_waiting_for_the_chamber_uses_the_clock_it_is_given() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    chamber = hal.ThermalChamberDriver(Words({"TEMP:STAB?": "0"}), sleep=sleep, monotonic=lambda: now[0])
    assert not chamber.wait_until_stable(timeout=10.0, poll_interval=3.0)
    assert now[0] == pytest.approx(10.0)
    chamber.transport.answers["TEMP:STAB?"] = "1"  # type: ignore[attr-defined]
    assert chamber.wait_until_stable(timeout=0.0)


@pytest.mark.row("DVT-114", "DVT-115")
def test_what_every_driver_can_do() -> None:
    answers = {
        "A?": "1.5",
        "B?": "3",
        "*IDN?": "x,y,z,1",
        "*OPC?": "1",
        "C?": "maybe",
        "D?": "ERROR: no",
        "E?": "2.5",
    }
    driver = hal.BaseDriver(Words(answers))
    assert driver.query("A?") == "1.5" and driver.query_float("A?") == 1.5 and driver.query_int("B?") == 3
    for text, truth in (("1", True), ("on", True), ("True", True), ("0", False), ("Off", False), ("FALSE", False)):
        answers["T?"] = text
        assert driver.query_bool("T?") is truth
    with pytest.raises(ValueError, match="neither"):
        driver.query_bool("C?")
    for question in ("C?", "D?"):
        with pytest.raises(InstrumentError):
            driver.query_float(question)
    with pytest.raises(InstrumentError, match="no whole number"):
        driver.query_int("E?")
    assert driver.identify() == "x,y,z,1" and driver.operation_complete()
    driver.reset()
    driver.clear_status()
    assert driver.transport.said[-2:] == ["*RST", "*CLS"]  # type: ignore[attr-defined]
    driver.disconnect()
    assert not driver.is_connected
    driver.connect()
    assert driver.is_connected


@pytest.mark.row("DVT-110", "DVT-111", "DVT-112")
def test_a_tcp_transport_and_its_errors(ports: dict[str, int]) -> None:
    transport = TCPTransport("127.0.0.1", ports["psu"])
    assert transport.timeout == 5.0 and "not connected" in repr(transport)
    transport.disconnect()
    with pytest.raises(ConnectionError, match="not connected"):
        transport.write("VOLT?")
    with transport:
        assert f"127.0.0.1:{ports['psu']}, connected" in repr(transport)
        with pytest.raises(ConnectionError, match="already"):
            transport.connect()
        assert transport.query("*IDN?").startswith("drycell,PS-SIM-001")
        with pytest.raises(TimeoutError, match=r"did not answer within 0\.05 s"):
            transport.query("NONSENSE?", timeout=0.05)
        assert transport.timeout == 5.0
        assert transport.query("*OPC?") == "1"
    transport.disconnect()
    assert not transport.is_connected
    with pytest.raises(ConnectionError, match="cannot be reached"):
        TCPTransport("127.0.0.1", 1).connect()
    for wrong in ({"port": 0}, {"port": 5001, "timeout": 0.0}):
        with pytest.raises(ValueError, match="use"):
            TCPTransport("127.0.0.1", **wrong)  # type: ignore[arg-type]


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next(ports: dict[str, int]) -> None:
    with TCPTransport("127.0.0.1", ports["dmm"]) as transport:
        transport.write("VOLT:DC:NPLC 1000;:SAMP:COUN 10")
        with pytest.raises(TimeoutError):
            transport.query("READ?", timeout=0.01)
        assert transport.query("*IDN?").startswith("drycell,DMM-SIM-001")
        transport.write("*RST")
        with pytest.raises(InstrumentError, match="where a block should begin"):
            transport.query_block("*IDN?")
        assert transport.query("*OPC?") == "1"


@pytest.mark.row("DVT-112")
def test_an_instrument_that_goes_away_is_noticed() -> None:
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    transport = TCPTransport("127.0.0.1", listener.getsockname()[1])
    transport.connect()
    listener.accept()[0].close()
    with pytest.raises(ConnectionError, match="closed the connection"):
        transport.read()
    assert not transport.is_connected
    listener.close()


@pytest.mark.row("DVT-113", "DVT-119")
def test_without_pyvisa_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyvisa", None)
    config = InstrumentConfig(backend="pyvisa", chamber_visa="GPIB::1", psu_visa="GPIB::2", dmm_visa="GPIB::3")
    bench = InstrumentFactory.create(config)
    assert bench.load is None
    with pytest.raises(InstrumentError, match=r"GPIB::1 needs PyVISA.*drycell\[visa\]"):
        bench.connect()
    with pytest.raises(ConnectionError, match="not connected"):
        VisaTransport("GPIB::1").query("*IDN?")


class FakeVisa:
    """As much of PyVISA as the transport uses."""

    class errors:  # noqa: N801  # PyVISA's own name
        class VisaIOError(Exception):
            pass

    def __init__(self) -> None:
        self.timeouts: list[float] = []
        self.cleared = 0
        self.late = False

    def ResourceManager(self, library: str) -> "FakeVisa":  # noqa: N802
        return self

    def open_resource(self, name: str) -> "FakeVisa":
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "timeout":
            self.timeouts.append(value)
        object.__setattr__(self, name, value)

    def write(self, text: str) -> None:
        self.last = text

    def read(self) -> str:
        if self.late:
            raise self.errors.VisaIOError("VI_ERROR_TMO")
        return f"answer to {self.last}\n"

    def clear(self) -> None:
        self.cleared += 1

    def close(self) -> None:
        pass


@pytest.mark.row("DVT-113")
def test_the_visa_transport_keeps_the_same_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVisa()
    monkeypatch.setitem(__import__("sys").modules, "pyvisa", fake)
    with VisaTransport("TCPIP::1.2.3.4::INSTR", timeout=2.0) as transport:
        assert transport.query("*IDN?") == "answer to *IDN?"
        fake.late = True
        with pytest.raises(TimeoutError, match="did not answer"):
            transport.query("*IDN?", timeout=0.5)
        assert fake.cleared == 1 and 500.0 in fake.timeouts and fake.timeouts[-1] == 2000.0
    assert not transport.is_connected


@pytest.mark.row("DVT-119", "DVT-120", "DVT-122")
def test_the_configuration() -> None:
    config = InstrumentConfig()
    assert (config.backend, config.simulator_host) == ("simulator", "localhost")
    assert (config.chamber_port, config.psu_port, config.dmm_port) == (5001, 5002, 5003)
    assert config.chamber_visa is config.psu_visa is config.dmm_visa is None
    data = {"backend": "simulator", "simulator": {"host": "::1", "multimeter_port": 7}, "pyvisa": {"multimeter": "X"}}
    read = InstrumentConfig.from_mapping(data)
    assert (read.simulator_host, read.dmm_port, read.dmm_visa, read.psu_port) == ("::1", 7, "X", 5002)
    for wrong in ({"backends": "x"}, {"simulator": {"port": 1}}):
        with pytest.raises(ValueError, match="has no meaning"):
            InstrumentConfig.from_mapping(wrong)
    with pytest.raises(ValueError, match="backend 'gpib' is unknown; use simulator or pyvisa"):
        InstrumentFactory.create(InstrumentConfig(backend="gpib"))
    with pytest.raises(ValueError, match="needs chamber_visa"):
        InstrumentFactory.create(InstrumentConfig(backend="pyvisa"))


@pytest.mark.row("DVT-122")
def test_drivers_keep_their_interfaces() -> None:
    pairs = {
        hal.ThermalChamberDriver: hal.IThermalChamber,
        hal.PowerSupplyDriver: hal.IPowerSupply,
        hal.MultimeterDriver: hal.IMultimeter,
        hal.ElectronicLoadDriver: hal.IElectronicLoad,
        hal.SourceMeasureDriver: hal.ISourceMeasure,
        hal.DigitizerDriver: hal.IDigitizer,
        hal.SwitchMatrixDriver: hal.ISwitchMatrix,
        hal.MagnetDriver: hal.IMagnet,
    }
    for driver, interface in pairs.items():
        assert issubclass(driver, interface) and not driver.__abstractmethods__  # type: ignore[attr-defined]


def test_the_instruments_of_a_real_bench_need_no_simulation() -> None:
    folder = Path(hal.__file__).parent
    assert not [
        path.name
        for path in folder.glob("*.py")
        if "drycell.sim" in path.read_text() or "plugins_sim" in path.read_text()
    ]


def test_every_word_a_driver_says_is_known_to_its_instrument() -> None:
    """Driver and simulator must not drift apart (part B.17, number 9)."""
    bench = make_bench({}, lambda: 0)
    said: dict[str, list[str]] = {}
    silent = {"TEMP:STAB?": "1"}

    class Tap(Words):
        def __init__(self, name: str) -> None:
            super().__init__(silent)
            self.name = name

        def read(self, timeout: float | None = None) -> str:
            answer = bench.ask(self.name, self.said.pop())
            said.setdefault(self.name, []).append(answer)
            return answer

    psu = hal.PowerSupplyDriver(Tap("psu"))
    assert (psu.get_voltage(1), psu.get_current_limit(1), psu.measure_voltage(1), psu.measure_current(1)) == (
        0,
        1,
        0,
        0,
    )
    chamber = hal.ThermalChamberDriver(Tap("chamber"))
    assert (chamber.get_temperature(), chamber.get_setpoint(), chamber.get_ramp_rate()) == (25.0, 25.0, 10.0)
    for driver, name, action in (
        (psu, "psu", lambda: (psu.set_voltage(1, 1), psu.set_current_limit(1, 1), psu.enable_output(1, True))),
        (chamber, "chamber", lambda: (chamber.set_temperature(30), chamber.set_ramp_rate(1))),
    ):
        action()
        for command in driver.transport.said:  # type: ignore[attr-defined]
            assert bench.ask(name, command) == ""
        assert bench.ask(name, "SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize("name", list(DRIVERS))
def test_every_instrument_is_reached_in_process_over_tcp_and_as_a_plugin_s_object(
    ports: dict[str, int], name: str
) -> None:
    manager = PluginManager()
    manager.register("own", Plugin())
    plugged = manager.make("instrument", f"drycell.{name}")
    in_process = plugged.identify()
    manager.configure(f"drycell.{name}", plugged, {"address": f"127.0.0.1:{ports[name]}"})
    with TCPTransport("127.0.0.1", ports[name]) as wire:
        assert in_process == plugged.identify() == wire.query("*IDN?") == make_bench({}, lambda: 0).ask(name, "*IDN?")
