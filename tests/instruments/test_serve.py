"""``drycell serve`` and ``drycell query`` as real processes."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drycell.runtime.instruments import InstrumentConfig, InstrumentFactory, TCPTransport, VisaTransport
from drycell.sim.cli.main import main

DRYCELL = (sys.executable, "-c", "from drycell.sim.cli.main import main; raise SystemExit(main())")


@contextmanager
def serving(*words: str) -> Iterator[dict[str, int]]:
    """A bench in a process of its own; gives the ports by name and sees it end well on SIGTERM."""
    process = subprocess.Popen(
        (*DRYCELL, "serve", "--json", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("\n]"):
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            text += line
        yield {row["name"]: row["port"] for row in json.loads(text)}
    finally:
        process.send_signal(signal.SIGTERM)
        _, talk = process.communicate(timeout=20)
    assert process.returncode == 0, talk
    assert "8 instruments on one bench" in talk or words[-1].endswith(".yaml")


@pytest.mark.row("DVT-099", "DVT-101", "DVT-102", "DVT-104")
def test_a_bench_is_served_a_hundred_times_as_fast_and_measured_through_the_factory() -> None:
    with serving("--port", "0", "--pace", "x500") as ports:
        assert sorted(ports) == ["chamber", "digitizer", "dmm", "load", "magnet", "psu", "smu", "switch"]
        config = InstrumentConfig(
            simulator_host="127.0.0.1", chamber_port=ports["chamber"], psu_port=ports["psu"], dmm_port=ports["dmm"],
            load_port=ports["load"],
        )  # fmt: skip
        with InstrumentFactory.create(config) as bench:
            bench.psu.set_voltage(1, 5.0)
            bench.psu.enable_output(1, True)
            cold = bench.dmm.measure_dc_voltage()
            bench.chamber.set_temperature(85.0)
            assert bench.chamber.wait_until_stable(timeout=20.0, poll_interval=0.05)  # 429 s of the chamber
            assert bench.dmm.measure_dc_voltage() - cold == pytest.approx(3.3 * 50e-6 * 60.0, abs=2e-4)


@pytest.mark.row("DVT-100")
def test_the_usual_ports_are_given_or_the_mistake_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        if port + 7 <= 65535:
            assert main(["serve", "--port", str(port)]) == 3
            assert "take another port" in capsys.readouterr().err
    assert main(["serve", "--port", "65530"]) == 3
    assert "there are not 8 ports from 65530 on" in capsys.readouterr().err


def test_others_are_let_in_only_on_demand_and_time_must_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0"]) == 3
    assert "--allow-remote" in capsys.readouterr().err
    assert main(["serve", "--pace", "virtual"]) == 3
    assert "use --pace real or a factor" in capsys.readouterr().err
    assert main(["serve", "nowhere.yaml"]) == 3
    assert "nowhere.yaml cannot be read" in capsys.readouterr().err


def test_query_asks_one_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text("instruments: {psu: {model: supply, port: 0}}\n")
    with serving(str(file)) as ports:
        address = f"127.0.0.1:{ports['psu']}"
        assert main(["query", address, "*IDN?"]) == 0
        assert capsys.readouterr().out == "drycell,PS-SIM-001,PSSIM001,1.0.0\n"
        assert main(["query", address, "VOLT 3"]) == 0
        assert main(["query", address, "VOLT?"]) == 0
        assert capsys.readouterr().out == "3.000\n"
        assert main(["query", address, "VOLTT?", "--timeout", "0.2"]) == 3
        assert "ask SYST:ERR?" in capsys.readouterr().err
        with TCPTransport("127.0.0.1", ports["psu"]) as transport:
            assert transport.query("SYST:ERR?") == '-113,"Undefined header;VOLTT"'
    assert main(["query", address, "*IDN?"]) == 3
    assert "cannot be reached" in capsys.readouterr().err
    for wrong in ("5001", "host:", ":5001", "host:x", "127.0.0.1:99999"):
        assert main(["query", wrong, "*IDN?"]) == 3
        assert "drycell: " in capsys.readouterr().err


PYVISA_SCRIPT = """
import sys, time, pyvisa
ports = dict(word.split("=") for word in sys.argv[1:])
manager = pyvisa.ResourceManager("@py")
def open_resource(name):
    resource = f"TCPIP::127.0.0.1::{ports[name]}::SOCKET"
    return manager.open_resource(resource, read_termination="\\n", write_termination="\\n", timeout=5000)
chamber, psu, load, dmm, digitizer = map(open_resource, ("chamber", "psu", "load", "dmm", "digitizer"))
psu.write("VOLT 5"); psu.write("OUTP ON"); load.write("CURR 0.1"); load.write("INP ON")
chamber.write("TEMP:SETPOINT 40")
while chamber.query("TEMP:STAB?") == "0":
    time.sleep(0.02)
digitizer.write("ACQ:POIN 50;:INIT")
digitizer.query("*OPC?")
codes = digitizer.query_binary_values("WAV:DATA?", datatype="h", is_big_endian=True)
print(float(dmm.query("MEAS:VOLT:DC?")), psu.query("MEAS:CURR?"), len(codes))
"""


def test_an_unmodified_pyvisa_script_measures_over_sockets() -> None:
    with serving("--port", "0", "--pace", "x500") as ports:
        words = [f"{name}={port}" for name, port in ports.items()]
        done = subprocess.run(
            [sys.executable, "-c", PYVISA_SCRIPT, *words], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    volts, amperes, points = done.stdout.split()
    assert float(volts) == pytest.approx(3.3 * (1 + 50e-6 * 18.0), abs=3e-4)
    assert (amperes, points) == ("0.100", "50")


def test_the_pyvisa_backend_of_the_factory_measures_the_same_bench() -> None:
    with serving("--port", "0", "--pace", "x500") as ports:
        found = {name: f"TCPIP::127.0.0.1::{port}::SOCKET" for name, port in ports.items()}
        config = InstrumentConfig(
            backend="pyvisa", chamber_visa=found["chamber"], psu_visa=found["psu"], dmm_visa=found["dmm"]
        )
        with InstrumentFactory.create(config) as bench:
            bench.psu.set_voltage(1, 3.3)
            bench.psu.enable_output(1, True)
            assert bench.dmm.measure_dc_voltage() == pytest.approx(3.002771, abs=1e-4)
            with pytest.raises(OSError, match="-222"):
                bench.psu.set_voltage(1, 99.0)
        with VisaTransport(found["digitizer"]) as transport:
            transport.write("ACQ:POIN 10;:INIT")
            assert transport.query("*OPC?") == "1"
            assert len(transport.query_block("WAV:DATA?")) == 20
            with pytest.raises(TimeoutError):
                transport.query("BOGUS?", timeout=0.2)
            assert transport.query("*IDN?").startswith("drycell,DG-SIM-001")
