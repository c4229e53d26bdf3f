"""A debugger inside a real program in virtual time: the world stands still at a breakpoint, and nothing else changes."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lockstep.dap import Client

DRYCELL = Path(sys.executable).parent / "drycell"
DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
OPTIONS = ["--duts", "2", "--sites", "1", "--json"]


def command(*words: object) -> list[str]:
    return [str(DRYCELL), "run", str(DEMO), *OPTIONS, *map(str, words)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def line_of(file: Path, text: str) -> int:
    return next(n for n, line in enumerate(file.read_text("utf-8").splitlines(), 1) if text in line)


@pytest.mark.real
def test_the_world_stands_still_at_a_breakpoint_and_the_journal_does_not_know(tmp_path):
    alone = json.loads(subprocess.run(command("--out", tmp_path / "alone"), capture_output=True, check=True).stdout)
    source = next((tmp_path / "alone" / "program").rglob("vout.py"))
    line = line_of(source, "vmeas.write")
    debugged, port = tmp_path / "debugged", free_port()
    words = command("--out", debugged, "--debug", f"0:{port}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        client = Client(port, run)
        client.stop_at(debugged / source.relative_to(tmp_path / "alone"), line)
        for part in (1, 2):
            stopped = client.event("stopped")
            assert stopped["reason"] == "breakpoint"
            frame = client.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
            assert (Path(frame["source"]["path"]).name, frame["line"]) == ("vout.py", line)
            assert not Path(frame["source"]["path"]).is_relative_to(debugged), "the user's file, not the private copy"
            before = (debugged / "journal.jsonl").read_bytes()
            seen = client.ask("evaluate", expression="self.ip.vin()", frameId=frame["id"], context="watch")
            assert float(seen["result"]) == 5.0
            assert (debugged / "journal.jsonl").read_bytes() == before, f"time went on at the breakpoint of {part}"
            client.ask("continue", threadId=stopped["threadId"])
        output, _ = run.communicate(timeout=120)
        client.close()
    assert json.loads(output)["journal_sha256"] == alone["journal_sha256"]


def test_a_site_that_does_not_exist_is_refused(tmp_path):
    done = subprocess.run(
        command("--out", tmp_path / "run", "--debug", "3"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        3,
        "drycell: --debug: the cell has no site 3; its sites are [0]",
    )


def test_a_port_that_is_taken_is_refused_with_another(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            command("--out", tmp_path / "run", "--debug", f"0:{port}"), capture_output=True, text=True, check=False
        )
    assert done.returncode == 3
    assert (
        f"port {port} of 127.0.0.1 cannot be used (Address already in use); name another one, such as --debug 0:{port + 1}"
        in done.stderr
    )


def test_a_debug_port_that_a_program_opens_to_the_world_is_open_on_loopback_only(world):
    text = """
        import socket
        bound = socket.socket()
        bound.bind(("", 0))
        door = socket.create_server(("0.0.0.0", 0))
        print(door.getsockname()[0])
    """
    one = world()
    one.run(lambda: one.program("a", text))
    assert one.output["a"] == "127.0.0.1\n"
    findings = [f.text for f in one.lockstep.counters.log if f.kind == "outside"]
    assert findings == ["a port was to be opened at 0.0.0.0:0; it is open on loopback only"]
