"""``drycell serve --run``: an unmodified script as a real process in virtual time, through PyVISA and plain sockets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import pyvisa_sim

from drycell.sim.cli.main import main
from drycell.sim.lockstep import private_folder

LAB = """
profile: seed
instruments:
  chamber: {model: chamber, resources: "GPIB0::5::INSTR"}
  psu: {model: supply, resources: ["USB0::0x1234::0x5678::SN1::INSTR"]}
  dmm: {model: multimeter, resources: ["ASRL1::INSTR", "TCPIP::192.168.7.6::5025::SOCKET"]}
  load: {model: load, resources: ["TCPIP0::192.168.7.8::inst0::INSTR"]}
  digitizer: {model: digitizer, resources: ["GPIB0::9::INSTR"]}
"""

SWEEP = str(Path(__file__).with_name("tempco_script.py"))
SWEPT = {
    "0": "tempco 49.96 ppm/K, 3.299918 V, took 766 s\n",
    "0.1": "tempco 49.93 ppm/K, 3.300479 V, took 766 s\n",
}
"""Load in amperes -> what the script finds: the reference numbers of the inventory, part B.22."""
PLAIN = [f"TCPIP::127.0.0.1::{port}::SOCKET" for port in (5001, 5002, 5003, 5004)]
NAMED = ["GPIB::5", "USB::0x1234::0x5678::SN1::INSTR", "ASRL1", "TCPIP::192.168.7.8::INSTR"]
FIXED = ["GPIB::5::INSTR", "USB::0x1234::0x5678::SN1::INSTR", "TCPIP::192.168.7.6::5025::SOCKET",
         "TCPIP::192.168.7.8::INSTR"]  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    file = tmp_path / "lab.yaml"
    file.write_text(LAB)
    return file


def script(folder: Path, text: str) -> str:
    file = folder / "script.py"
    file.write_text(text)
    return str(file)


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, what the script printed, what was said of it."""
    code = main(["serve", *words])
    said = capfd.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("bench", "library", "names", "amperes"),
    [(False, "@py", PLAIN, "0"), (False, "", PLAIN, "0.1"), (True, "", NAMED, "0.1"), (True, "", FIXED, "0")],
    ids=["pyvisa-py, sockets", "@drycell, sockets", "@drycell, any resource", "@drycell, built-in address"],
)
def test_an_unmodified_sweep_of_minutes_is_flown_in_virtual_time(
    capfd: pytest.CaptureFixture[str], lab: Path, bench: bool, library: str, names: list[str], amperes: str
) -> None:
    where = [str(lab)] if bench else ["--profile", "seed"]
    code, out, err = run(capfd, *where, "--run", SWEEP, library, *names, amperes)
    assert (code, out) == (0, SWEPT[amperes]), err
    assert "s simulated in" in err and "exit code 0" in err


def test_the_same_script_is_the_same_run(capfd: pytest.CaptureFixture[str], tmp_path: Path, lab: Path) -> None:
    journals = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for journal in journals:
        assert run(capfd, str(lab), "--journal", str(journal), "--run", SWEEP, "", *NAMED, "0.1")[0] == 0
    assert journals[0].read_bytes() == journals[1].read_bytes()
    asked = [json.loads(line) for line in journals[0].read_text().splitlines()[1:]]
    assert {"dmm", "chamber", "psu", "load"} == {event["actor"] for event in asked}
    assert run(capfd, "--journal", str(journals[0]), "--run", SWEEP)[0] == 3


def test_plain_sockets_reach_addresses_that_are_built_in_and_no_others(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, lab: Path
) -> None:
    text = """
import os, socket
for address in (("192.168.7.6", 5025), ("192.168.7.8", 5025), ("127.0.0.1", 5002), ("192.168.7.77", 5025)):
    with socket.create_connection(address, 2.0) as link:
        link.sendall(b"*IDN?\\n")
        print(link.makefile().readline().strip())
"""
    code, out, err = run(capfd, str(lab), "--run", script(tmp_path, text))
    assert [line.split(",")[1] for line in out.splitlines()] == ["DMM-SIM-001", "EL-SIM-001", "PS-SIM-001"]
    assert code == 1 and "192.168.7.77" in err


TALK = """
import pyvisa
from pyvisa import constants
manager = pyvisa.ResourceManager()
print(manager.list_resources(), manager.list_resources("ASRL?*"))
psu = manager.open_resource("USB0::0x1234::0x5678::SN1::INSTR", timeout=300)
print(repr(psu.query("*IDN?")), psu.resource_class, psu.interface_type, psu.serial_number, psu.timeout)
psu.write("VOLTT 5"); psu.write("*SRE 32"); psu.write("*ESE 32")
print(psu.read_stb() & 4, psu.query("SYST:ERR?").strip())
psu.write("*IDN?"); print(psu.read_stb() & 16); psu.clear(); print(psu.read_stb() & 16)
try:
    psu.query("VOLTT?")
except pyvisa.errors.VisaIOError as error:
    print(error.abbreviation)
dmm = manager.open_resource("ASRL1::INSTR", baud_rate=9600, read_termination="\\r\\n", write_termination="\\r\\n")
print(repr(dmm.query("CONF?")), dmm.baud_rate, dmm.bytes_in_buffer)
dmm.read_termination = dmm.write_termination = "\\r"
print(repr(dmm.query("CONF?")))
digitizer = manager.open_resource("GPIB0::9::INSTR", timeout=None)
digitizer.write("ACQ:POIN 2573;:INIT"); digitizer.query("*OPC?")
digitizer.chunk_size = 700
codes = digitizer.query_binary_values("WAV:FORM BYTE;:WAV:DATA?", datatype="B")
print(len(codes), digitizer.primary_address, repr(digitizer.query("*OPC?;:ACQ:POIN?")))
digitizer.send_end = False; digitizer.write("*ID", termination=""); digitizer.send_end = True
print(repr(digitizer.query("N?")[:12]))
digitizer.read_termination = ","; print(repr(digitizer.query("*IDN?")), repr(digitizer.read()))
for name in ("GPIB0::30::INSTR", "nonsense"):
    try:
        manager.open_resource(name)
    except (pyvisa.errors.VisaIOError, ValueError) as error:
        print(getattr(error, "abbreviation", type(error).__name__))
digitizer.close(); manager.close()
try:
    psu.query("*IDN?")
except pyvisa.errors.InvalidSession as error:
    print("closed")
"""


def test_the_backend_behaves_as_a_bus_a_serial_line_and_a_socket(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(LAB.replace("profile: seed", ""))
    code, out, err = run(capfd, str(file), "--run", script(tmp_path, TALK))
    assert code == 0, err
    assert out.splitlines() == [
        "('ASRL1::INSTR', 'GPIB0::5::INSTR', 'GPIB0::9::INSTR', 'TCPIP0::192.168.7.8::inst0::INSTR', "
        "'USB0::0x1234::0x5678::SN1::0::INSTR') ('ASRL1::INSTR',)",
        "'drycell,PS-SIM-001,PSSIM001,1.0.0\\n' INSTR 7 SN1 300",
        '4 -113,"Undefined header;VOLTT"',
        "16",
        "0",
        "VI_ERROR_TMO",
        "'\"VOLT:DC\"' 9600 0",
        "'\"VOLT:DC\"'",
        "2573 9 '1;2573\\n'",
        "'drycell,DG-S'",
        "'drycell' 'DG-SIM-001'",
        "VI_ERROR_RSRC_NFOUND",
        "VI_ERROR_INV_RSRC_NAME",
        "closed",
    ]


def test_a_script_of_pyvisa_sim_finds_every_resource_of_its_file(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = """
import pyvisa
manager = pyvisa.ResourceManager()
signals = ("ASRL1::INSTR", "GPIB0::8::INSTR", "TCPIP0::localhost::inst0::INSTR", "TCPIP0::localhost::10001::SOCKET",
           "USB0::0x1111::0x2222::0x1234::0::INSTR")
for name in manager.list_resources("?*"):
    if not name.endswith("RAW"):
        end = "\\r\\n" if name.startswith("ASRL") else "\\n"
        one = manager.open_resource(name, read_termination="\\n", write_termination=end)
        print(name[:4], one.query("?IDN" if name in signals else ":VOLT:IMM:AMPL?"))
"""
    file = Path(pyvisa_sim.__file__).with_name("default.yaml")
    code, out, err = run(capfd, str(file), "--run", script(tmp_path, text))
    answers = out.splitlines()
    assert code == 0 and len(answers) == 21, err
    assert sum(answer.endswith("LSG Serial #1234") for answer in answers) == 5
    assert sum(answer.endswith("+1.00000000E+00") for answer in answers) == 12


def test_the_script_s_end_is_the_command_s_end(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capfd, "--run", script(tmp_path, "raise SystemExit(7)"))[0] == 7
    assert run(capfd, "--run", script(tmp_path, "import os; os.kill(os.getpid(), 9)"))[0] == 137
    code, _, err = run(capfd, "--run", script(tmp_path, "import threading; threading.Event().wait()"))
    assert code == 3 and "wait" in err and "Traceback" not in err
    assert run(capfd, "--python", str(tmp_path / "none"), "--run", "x.py")[0] == 3
    assert run(capfd, "--port", "0", "--run", "x.py")[0] == 3
    assert run(capfd, "--python", "python3")[0] == 3
    assert run(capfd, "--run")[0] == 3


def test_at_the_pace_of_the_wall_clock_too(capfd: pytest.CaptureFixture[str], tmp_path: Path, lab: Path) -> None:
    text = """
import os, pyvisa
print(pyvisa.ResourceManager().open_resource("GPIB0::5::INSTR").query("*IDN?").strip(), os.environ["DRYCELL_PSU"][:10])
"""
    code, out, _ = run(capfd, str(lab), "--pace", "x10", "--run", script(tmp_path, text))
    assert (code, out) == (0, "PyDVTATE,TC-SIM-001,TCSIM001,1.0.0 127.0.0.1:\n")


def test_pyvisa_finds_the_backend_where_resources_are_named_and_nowhere_else() -> None:
    look = "import importlib.util as u; print(u.find_spec('pyvisa_drycell') is not None)"
    inside = {"PYTHONPATH": str(private_folder())}
    for environment, found in (
        ({}, "False\n"),
        (inside, "False\n"),
        ({**inside, "DRYCELL_RESOURCES": "{}"}, "True\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == found


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{model: supply, resources: 5}", "psu: resources is 5; write VISA resource names"),
        ("{model: supply, resources: [GPIB0::5::INSTR]}", "GPIB0::5::INSTR is the resource of chamber already"),
    ],
)
def test_resources_that_cannot_be(capfd: pytest.CaptureFixture[str], tmp_path: Path, entry: str, reason: str) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(f"instruments:\n  chamber: {{model: chamber, resources: GPIB0::5::INSTR}}\n  psu: {entry}\n")
    code, _, err = run(capfd, str(file), "--run", "x.py")
    assert code == 3 and reason in err
