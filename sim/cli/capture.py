"""``drycell capture``: record a live broker without touching it."""

import argparse
import os
import re
import ssl
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace

from drycell.sim.broker.external import Address
from drycell.sim.broker.topics import filter_fault
from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.cli.parsing import LOOPBACK, UsageError
from drycell.sim.cli.times import seconds_of
from drycell.sim.errors import DrycellError
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.capture import Capture, Plan
from drycell.sim.replay.proxy import Proxy, Route

USERNAME, PASSWORD = "DRYCELL_MQTT_USERNAME", "DRYCELL_MQTT_PASSWORD"
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SMALLEST_BYTES = 1 << 20
_HOW = "Ctrl-C ends it, a line that you type is a mark, SIGUSR1 too"


def capture(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell capture``."""
    if bool(arguments.broker) == bool(arguments.proxy):
        raise UsageError(
            "--broker mqtt://HOST:PORT says what to record, or --proxy PORT=mqtt://HOST:PORT; one of them"
        )
    attention = Attention(sys.stdin.fileno() if sys.stdin.isatty() else None)
    with closing(attention), attention.on_signals():
        counts = (_proxy if arguments.proxy else _capture)(arguments, attention)
    told = {
        "folder": str(arguments.out),
        "messages": counts["publish"],
        "marks": counts["mark"],
        "gaps": counts["gap"],
    }
    if arguments.json:
        print_json(told)
    else:
        print_text(", ".join(f"{key} {value}" for key, value in told.items()))
    return 0


def _capture(arguments: argparse.Namespace, attention: Attention) -> Counter[str]:
    work = Capture(_plan(arguments), attention, talk)
    talk(f"capturing into {arguments.out}; {_HOW}")
    work.run()
    return work.counts


def _proxy(arguments: argparse.Namespace, attention: Attention) -> Counter[str]:
    routes = [Route.parse(text) for text in arguments.proxy]
    for host, _ in (route.listen for route in routes):
        if host not in LOOPBACK and not arguments.allow_remote:
            raise UsageError(f"{host} can be reached from other machines; add --allow-remote if that is meant")
    work = Proxy(
        routes, arguments.out, attention, talk,
        segment_bytes=_size(arguments.segment, "--segment"), limit_bytes=_limit_bytes(arguments),
    )  # fmt: skip
    talk(f"recording into {arguments.out}; {_HOW}")
    work.run(_for_s(arguments))
    return work.counts


def _plan(arguments: argparse.Namespace) -> Plan:
    filters = tuple(arguments.topic) or ("#",)
    for topic_filter in filters:
        if (fault := filter_fault(topic_filter)) is not None:
            raise UsageError(f"--topic {topic_filter!r} is no topic filter: {fault}")
    address = _address(arguments)
    return Plan(
        address,
        arguments.out,
        filters,
        arguments.qos,
        arguments.client_id,
        _context(arguments) if address.tls else None,
        _size(arguments.segment, "--segment"),
        _limit_bytes(arguments),
        _for_s(arguments),
        arguments.keep_session,
    )


def _limit_bytes(arguments: argparse.Namespace) -> int | None:
    return None if arguments.limit is None else _size(arguments.limit, "--limit")


def _for_s(arguments: argparse.Namespace) -> float | None:
    return None if arguments.for_ is None else seconds_of(arguments.for_, "--for")


def _address(arguments: argparse.Namespace) -> Address:
    if "@" in arguments.broker:
        raise UsageError(
            f"a password does not belong into an argument, where all users see it; use {USERNAME} and {PASSWORD},"
            " or --credentials FILE"
        )
    address = Address.parse(arguments.broker)
    username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
    if arguments.credentials is not None:
        try:
            username, _, password = arguments.credentials.read_text("utf-8").rstrip("\n").partition("\n")
        except (OSError, UnicodeDecodeError):
            raise DrycellError(
                f"{arguments.credentials} cannot be read; it holds two lines, user name and password"
            ) from None
    return replace(address, username=username or None, password=password.encode() if password else None)


def _context(arguments: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=arguments.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if arguments.cert is not None:
            context.load_cert_chain(arguments.cert, arguments.key)
    except (OSError, ssl.SSLError) as error:
        raise DrycellError(f"the certificates cannot be used ({error.strerror or error}); see --ca, --cert") from None
    return context


def _size(word: str, option: str) -> int:
    found = re.fullmatch(r"(\d{1,12})\s*([kmg]?)(?:i?b)?", word.lower())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < _SMALLEST_BYTES:
        raise UsageError(f"{option} {word!r} is no size of at least 1 MiB; write 64M or 2G")
    return size
