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

from drycell.runtime.instruments import InstrumentConfig, InstrumentFactory, TCPTransport
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
