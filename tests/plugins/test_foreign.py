"""Plugins of another interpreter: loaded there, asked from here, and unable to do harm here."""

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drycell.runtime.plugins import DuplicateNameError, PluginError, PluginManager, UnknownNameError
from drycell.runtime.plugins.contract import examine
from drycell.runtime.plugins.errors import RemoteError
from drycell.sim.cell.semi_ate import make_environment
from drycell.sim.cli import main
from drycell.sim.errors import DrycellError
from drycell.sim.foreign import PluginHost

Install = Callable[..., Path]

DOCUMENT = """
    from ATE.semiateplugins.hookspec import hookimpl

    class ThePlugin:
        @hookimpl
        def get_plugin_identification():
            return {"name": "PluginB", "version": "0.1"}

        @hookimpl
        def get_instrument_names():
            return [{"display_name": "Odd", "version": "1", "name": "PluginB.Odd"}]

        @hookimpl
        def get_instrument(instrument_name, logger):
            if instrument_name == "PluginB.Odd":
                return Odd(logger)

        @hookimpl
        def get_configuration_options(object_name):
            return ["gain"] if object_name == "PluginB.Odd" else None

    class Odd:
        RANGE = 10
        def __init__(self, logger):
            self.logger = logger
            logger.info("made")
        def echo(self, value):
            print("on standard output")
            return value
        def array(self):
            class Array:
                def tolist(self): return [[1, 2], [3, 4]]
            return Array()
        async def later(self):
            return 7
        def me(self):
            return self
        def fail(self):
            raise ValueError("out of range\\nsecond line")
        def leave(self):
            import os, sys
            print("goodbye", file=sys.stderr)
            os._exit(3)
        def exit(self):
            raise SystemExit(4)
        def hang(self):
            import time
            while True: time.sleep(1)
        def orphan(self):
            import subprocess, sys
            self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            return self.child.pid
        def many(self):
            return "x" * 17_000_000
        def deep(self):
            value = []
            for _ in range(100): value = [value]
            return value
        def memory(self):
            return len(bytearray(1 << 40))
        def set_configuration_values(self, values):
            self.values = values
        def gain(self):
            return self.values["gain"]
"""
RAISING = """
    from ate_semiateplugins.hookspec import hookimpl

    class ThePlugin:
        @hookimpl
        def get_tester_names():
            raise RuntimeError("no licence")

        @hookimpl
        def get_tester(tester_name, logger):
            raise RuntimeError("no licence")
"""


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """An environment of somebody else, with a plugin installed as ``setup.py`` of the document does; its interpreter."""

    def install_(source: str = DOCUMENT, target: str = "PluginB:ThePlugin") -> Path:
        folder = tmp_path_factory.mktemp("theirs")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "PluginB").mkdir()
        (site / "PluginB" / "__init__.py").write_text(textwrap.dedent(source))
        info = site / "SomeAtePlugin-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: SomeAtePlugin\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[ate.org]\nplug = {target}\n")
        return folder / "bin" / "python"

    return install_


@pytest.fixture(scope="module")
def theirs(install: Install) -> Path:
    return install()


@pytest.fixture
def host(theirs: Path) -> Iterator[PluginHost]:
    with PluginHost(theirs, call_limit_s=20.0) as made:
        yield made


@pytest.fixture
def odd(host: PluginHost) -> Any:
    manager = PluginManager()
    manager.register("PluginB", host.load("PluginB:ThePlugin"))
    return manager.make("instrument", "PluginB.Odd")


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.row("HS-58", "HS-60")
def test_a_plugin_of_the_document_is_found_and_loaded_in_an_environment_without_any_of_its_packages(
    host: PluginHost,
) -> None:
    assert host.installed() == [
        {"distribution": "SomeAtePlugin", "version": "0.1", "entry": "plug", "target": "PluginB:ThePlugin"}
    ]
    assert host.find("plug") == host.find("SomeAtePlugin") == host.find("PluginB:ThePlugin")
    with pytest.raises(UnknownNameError, match=r"'elsewhere'.*it has SomeAtePlugin"):
        host.find("elsewhere")
    manager = PluginManager()
    manager.register("PluginB", host.load("PluginB:ThePlugin"))
    assert manager.identification("PluginB") == {"name": "PluginB", "version": "0.1"}
    assert [offer.name for offer in manager.offers] == ["PluginB.Odd"]
    with pytest.raises(UnknownNameError, match=r"PluginB\.Even"):
        manager.make("instrument", "PluginB.Even")
    assert "PluginB" not in sys.modules


def test_values_go_there_and_come_back(odd: Any) -> None:
    for value in (None, True, 1, 2.5, "Ω", b"\x00\xff", [1, [2]], {"a": {"b": None}}):
        assert odd.echo(value) == value
    assert odd.echo(np.array([1.5, 2.5])) == [1.5, 2.5]
    assert odd.array() == [[1, 2], [3, 4]]
    assert odd.later() == 7
    assert odd.RANGE == 10
    assert odd.me().echo(1) == 1
    assert odd.echo(odd.me()).class_name == "PluginB.Odd"
    with pytest.raises(AttributeError, match=r"PluginB\.Odd has no nothing"):
        odd.nothing()
    with pytest.raises(PluginError, match="plain data"):
        odd.echo(object())


@pytest.mark.row("HS-53", "HS-54", "HS-55", "HS-56")
def test_configuration_reaches_an_object_in_its_host_from_the_next_call_on(host: PluginHost) -> None:
    manager = PluginManager()
    manager.register("PluginB", host.load("PluginB:ThePlugin"))
    made = manager.make("instrument", "PluginB.Odd")
    for gain in ("2", "3"):
        manager.configure("PluginB.Odd", made, {"gain": gain})
        assert made.gain() == gain
    with pytest.raises(PluginError, match=r"PluginB\.Odd has no option 'speed'; it has gain"):
        manager.configure("PluginB.Odd", made, {"speed": "1"})
    assert made.gain() == "3"


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.row("HS-10", "HS-18", "HS-35", "HS-46", "HS-47")
def test_the_published_testers_one_that_raises_and_our_own_stand_side_by_side(install: Install) -> None:
    """Each foreign plugin in a host of its own interpreter."""
    with PluginHost(make_environment() / "bin" / "python") as published, PluginHost(install(RAISING)) as raising:
        manager = PluginManager()
        manager.register("raising", raising.load("PluginB:ThePlugin"))
        manager.register("semi-ate-testers", published.load(published.find("semi-ate-testers")["target"]))
        manager.load("drycell")
        tester = manager.make("tester", "Semi_ATE Single Tester")
        assert (tester.get_sites_count(), tester.do_request(0, 1)) == (1, True)
        assert manager.make("tester type", "Semi_ATE Single Tester").is_class
        assert manager.make("tester", "drycell.SingleTester").get_sites_count() == 1
        with pytest.raises(UnknownNameError, match=r"'Nobody\.Tester'; plugin raising says RuntimeError: no licence"):
            manager.make("tester", "Nobody.Tester")
        with pytest.raises(DuplicateNameError, match="plugins semi-ate-testers and second both offer"):
            manager.register("second", published.load(published.find("semi-ate-testers")["target"]))
        assert "second" not in manager.plugins
        assert {problem.plugin for problem in manager.problems} == {"raising"}


def test_what_it_raises_is_told_and_it_goes_on(odd: Any) -> None:
    for method, kind in (
        ("fail", "ValueError"),
        ("exit", "SystemExit"),
        ("deep", "ValueError"),
        ("memory", "MemoryError"),
    ):
        with pytest.raises(RemoteError) as raised:
            getattr(odd, method)()
        assert raised.value.kind == kind
    assert odd.echo("well") == "well"


def test_a_plugin_that_ends_the_process_ends_only_its_host(odd: Any) -> None:
    with pytest.raises(DrycellError, match="has ended; its last words were 'goodbye'"):
        odd.leave()
    with pytest.raises(DrycellError, match="has ended"):
        odd.echo(1)


def test_a_plugin_that_hangs_is_stopped(theirs: Path) -> None:
    with PluginHost(theirs, call_limit_s=0.5) as host:
        manager = PluginManager()
        manager.register("PluginB", host.load("PluginB:ThePlugin"))
        with pytest.raises(DrycellError, match=r"did not answer within 0\.5 s"):
            manager.make("instrument", "PluginB.Odd").hang()


def test_a_line_without_end_is_refused(odd: Any) -> None:
    with pytest.raises(DrycellError, match="more than 16000000 bytes"):
        odd.many()


def test_nothing_of_it_survives(theirs: Path) -> None:
    with PluginHost(theirs) as host:
        manager = PluginManager()
        manager.register("PluginB", host.load("PluginB:ThePlugin"))
        made = manager.make("instrument", "PluginB.Odd")
        assert host.touched == []
        process = made.orphan()
        assert any("subprocess.Popen" in touch for touch in host.touched)
    deadline = time.monotonic() + 20
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(process)


def test_the_host_ends_when_the_simulator_does(theirs: Path, tmp_path: Path) -> None:
    script = f"""if True:
        import os
        from pathlib import Path
        from drycell.sim.foreign import PluginHost
        host = PluginHost(Path({str(theirs)!r}))
        print(host._link._process.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_what_cannot_be_loaded_is_named(host: PluginHost, install: Install) -> None:
    with pytest.raises(PluginError, match=r"Nothing:Plugin cannot be loaded \(ModuleNotFoundError: .*'Nothing'"):
        host.load("Nothing:Plugin")
    with PluginHost(install("raise RuntimeError('no licence')\n")) as broken:
        assert broken.installed()[0]["version"] == "0.1"  # listing imports nothing
        with pytest.raises(PluginError, match="RuntimeError: no licence"):
            broken.load("PluginB:ThePlugin")


def test_an_interpreter_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--python", str(tmp_path / "nothing")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho not me >&2\nexit 1\n")
    fake.chmod(0o755)
    assert main(["plugins", "--python", str(fake)]) == 3
    assert "has ended; its last words were 'not me'" in capsys.readouterr().err


BAD = """
    from ate_semiateplugins.hookspec import hookimpl
    import socket, subprocess

    def entry(name):
        return {"display_name": name, "version": "1", "name": name}

    class Tester:
        def __init__(self):
            try:
                socket.create_connection(("127.0.0.1", 9), 0.1)
            except OSError:
                pass
        def do_request(self, site_id, timeout): return True
        def test_in_progress(self, site_id): pass
        def test_done(self, site_id, timeout): pass
        def setup(self): pass
        def teardown(self): pass

    class Importer:
        def do_import(self): raise RuntimeError("no screen")
        def get_abort_reason(self): return ""

    class Exporter:
        def do_export(self, data): return False
        def get_abort_reason(self): return ""
        def set_configuration_values(self, values): pass

    class Master:
        def get_sites_count(self): return 1
        def get_site_states(self): return [0]
        def release_test_execution(self, sites): pass
        def get_strategy_type(self): return "random"

    class ThePlugin:
        @hookimpl
        def get_plugin_identification(): return {}
        @hookimpl
        def get_plugin_colour(): return "green"
        @hookimpl
        def get_importer_names(): return [entry("Importer")]
        @hookimpl
        def get_importer(importer_name): return Importer()
        @hookimpl
        def get_exporter_names(): return [entry("Exporter"), {"name": "half"}]
        @hookimpl
        def get_exporter(exporter_name): return Exporter() if exporter_name == "Exporter" else None
        @hookimpl
        def get_tester_names(): return [entry("Tester"), entry("Ghost")]
        @hookimpl
        def get_tester(tester_name): return Tester() if tester_name == "Tester" else None
        @hookimpl
        def get_tester_type(tester_name): return Importer if tester_name == "Tester" else None
        @hookimpl
        def get_tester_master_names(): return [entry("Master")]
        @hookimpl
        def get_tester_master(tester_name): return Master() if tester_name == "Master" else None
"""


def test_a_bad_plugin_fails_every_check_that_it_breaks(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    python = str(install(BAD))
    assert main(["plugins", "check", "SomeAtePlugin", "--python", python, "--json"]) == 1
    outcomes = {one["check"]: one for one in json.loads(capsys.readouterr().out)["outcomes"]}
    verdicts = {check: one["verdict"] for check, one in outcomes.items()}
    assert verdicts == {
        "says its name and version": "advice",
        "has hooks of ate.org only": "fails",
        "lists objects with name, display_name and version": "fails",
        "names begin with the plugin's name": "advice",
        "makes every object that it lists": "fails",
        "does not answer to unknown names": "fails",
        "importers fail without raising and say why": "fails",
        "exporters fail without raising and say why": "fails",
        "testers have their methods": "advice",
        "testers know their number of sites": "fails",
        "making a tester touches no hardware": "fails",
        "tester types are the classes of the testers": "fails",
        "tester masters have their methods and a known strategy": "fails",
        "configuration options are texts": "passes",
        "objects can be configured": "fails",
    }
    assert "socket.connect ('127.0.0.1', 9)" in outcomes["making a tester touches no hardware"]["findings"][0]
    assert "get_plugin_colour" in outcomes["has hooks of ate.org only"]["findings"][0]


def test_the_command_lists_and_checks_our_own_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"drycell"} <= {row["distribution"] for row in rows}
    assert main(["plugins", "check", "drycell"]) == 0
    assert "15 pass, 0 fail" in capsys.readouterr().out
    assert main(["plugins", "check", "nobody"]) == 3
    assert "there is no plugin 'nobody'" in capsys.readouterr().err
    assert main(["plugins", "check", "drycell.plugins_sim.ate:plugin", "--json"]) == 0


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_the_published_testers_fail_exactly_what_the_page_explains() -> None:
    """docs/plugins.md explains each of them."""
    with PluginHost(make_environment() / "bin" / "python") as host:
        row = host.find("semi-ate-testers")
        assert row["version"] == "1.0.17"
        outcomes = examine("semi-ate-testers", host.load(row["target"]), lambda: host.touched)
    assert {one.check for one in outcomes if one.verdict == "fails"} == {
        "makes every object that it lists",
        "does not answer to unknown names",
        "importers fail without raising and say why",
        "exporters fail without raising and say why",
        "objects can be configured",
    }
    assert {one.check for one in outcomes if one.verdict == "advice"} == {
        "names begin with the plugin's name",
        "testers have their methods",
        "tester masters have their methods and a known strategy",
    }
