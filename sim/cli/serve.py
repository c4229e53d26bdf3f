"""``drycell serve`` and ``drycell query``: instruments alone on TCP, and one question to an instrument."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from drycell.runtime.instruments import InstrumentError, NotConnectedError, TCPTransport
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.cell.script import Script, run_script
from drycell.sim.cli.output import console, print_json, print_text, talk
from drycell.sim.cli.parsing import LOOPBACK, UsageError
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import BenchRequest, ServedInstrument, registry
from drycell.sim.kernel import NS_PER_S, Kernel
from drycell.sim.kernel.pace import Pace


def serve(arguments: argparse.Namespace) -> int:
    """Serve a bench until a signal ends it, or until the script that was given has ended."""
    if arguments.run is not None:
        return run(arguments)
    if arguments.journal is not None or arguments.python is not None:
        raise UsageError("--journal and --python go with --run SCRIPT")
    pace = Pace.parse(arguments.pace or "real")
    if pace.is_virtual:
        raise UsageError("serve follows the wall clock; use --pace real or a factor such as x10, or --run SCRIPT")
    if arguments.host not in LOOPBACK and not arguments.allow_remote:
        raise UsageError(
            f"{arguments.host} can be reached from other machines, and instruments ask for no password; "
            "add --allow-remote if that is meant, or use 127.0.0.1"
        )
    if arguments.port is not None and not 0 <= arguments.port <= 65535:
        raise UsageError(f"port {arguments.port} does not exist; use 0 to 65535")
    kernel = Kernel(pace=pace)
    try:
        request = BenchRequest(lambda: kernel.now_ns, arguments.bench, arguments.profile)
        bench = registry().bench("bench", request)
        ports = _ports(bench.ports, arguments.port)
        host = "127.0.0.1" if arguments.host == "localhost" else arguments.host
        servers = {name: MessageServer(one, host, ports[name]) for name, one in bench.served.items()}
        kernel.run(_until_told(servers, lambda: _show(servers, bench.served, arguments.json, pace)))
    finally:
        kernel.close()
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run a script against the bench; the exit code is the script's, 128 and more when a signal ended it."""
    if not arguments.run:
        raise UsageError("--run needs a script; name it last, before its own arguments")
    if arguments.port is not None or arguments.json or arguments.allow_remote:
        raise UsageError(
            "with --run only the script reaches the instruments; leave --port, --json and --allow-remote"
        )
    python = arguments.python or Path(sys.executable)
    pace = Pace.parse(arguments.pace or "virtual")
    try:
        kernel = Kernel(pace=pace, journal_path=arguments.journal)
    except OSError as error:
        raise DrycellError(f"{arguments.journal} cannot be written ({error.strerror}); name a new file") from None
    begin_s = time.monotonic()
    try:
        bench = registry().bench("bench", BenchRequest(lambda: kernel.now_ns, arguments.bench, arguments.profile))
        script = Script(python, arguments.run)
        code = run_script(kernel, bench, script, say=talk, journalled=arguments.journal is not None)
        simulated_s = kernel.now_ns / NS_PER_S
    finally:
        kernel.close()
    talk(f"{simulated_s:.1f} s simulated in {time.monotonic() - begin_s:.1f} s; exit code {code}")
    return code if code >= 0 else 128 - code


def _ports(usual: Mapping[str, int], first: int | None) -> dict[str, int]:
    if first is None:
        return dict(usual)
    if first + len(usual) - 1 > 65535:
        raise UsageError(f"there are not {len(usual)} ports from {first} on; use a smaller one")
    return {name: first + index if first else 0 for index, name in enumerate(usual)}


async def _until_told(servers: Mapping[str, MessageServer], ready: Any) -> None:
    """Serve until SIGINT or SIGTERM; every port is closed before it returns."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        for server in servers.values():
            await server.start()
        ready()
        await told.wait()
    finally:
        for server in servers.values():
            await server.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _show(
    servers: Mapping[str, MessageServer], served: Mapping[str, ServedInstrument], as_json: bool, pace: Pace
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "host": server.host,
            "port": server.port,
            "resource": f"TCPIP::{server.host}::{server.port}::SOCKET",
            "identity": (served[name].answer("*IDN?").splitlines() or [""])[0],
        }
        for name, server in servers.items()
    ]
    if as_json:
        print_json(rows)
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("instrument", "address", "identity"):
            table.add_column(title, no_wrap=title != "identity", overflow="fold")
        for row in rows:
            table.add_row(row["name"], f"{row['host']}:{row['port']}", row["identity"])
        console().print(table)
    sys.stdout.flush()
    talk(f"{len(rows)} instruments on one bench, pace {pace}; Ctrl+C ends it")


def query(arguments: argparse.Namespace) -> int:
    """Send one message and print the answer."""
    host, colon, port = arguments.address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()):
        raise UsageError(f"{arguments.address!r} is no address; write HOST:PORT, for example 127.0.0.1:5001")
    try:
        with TCPTransport(host.strip("[]"), int(port), arguments.timeout) as transport:
            transport.write(arguments.message)
            if "?" in arguments.message:
                print_text(transport.read())
    except (InstrumentError, NotConnectedError, TimeoutError, ValueError) as error:
        hint = "; it may have refused the message: ask SYST:ERR?" if isinstance(error, TimeoutError) else ""
        raise DrycellError(f"{error}{hint}") from None
    return 0
