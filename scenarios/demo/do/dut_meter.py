"""The bench meter: one TCP connection per program, text lines out, one text line back.

The address comes from the environment variable DRYCELL_METER ("host:port"); without it 127.0.0.1:5025 is used.
Every error of the link is an OSError, so the test that asked ends in its alarm bin and the next test connects anew.
"""

import os
import socket

TIMEOUT_S = 5.0
DEFAULT_ADDRESS = "127.0.0.1:5025"
_link = None


def _connect():
    host, _, port = os.environ.get("DRYCELL_METER", DEFAULT_ADDRESS).rpartition(":")
    link = socket.create_connection((host, int(port)), TIMEOUT_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link, link.makefile("rb")


def _query(line):
    global _link
    if _link is None:
        _link = _connect()
    link, replies = _link
    try:
        link.sendall(line.encode("ascii") + b"\n")
        reply = replies.readline().decode("ascii")
    except OSError:
        _link = None
        raise
    if not reply.endswith("\n"):
        _link = None
        raise ConnectionError(f"the meter closed the connection instead of answering {line!r}")
    if reply.startswith("ERROR"):
        raise OSError(f"the meter refused {line!r}: {reply.strip()}")
    return reply


def measure(line):
    """Ask one question, return the one number of the answer."""
    return float(_query(line))


def measure_list(line):
    """Ask one question, return the comma-separated numbers of the answer as a list."""
    return [float(number) for number in _query(line).split(",")]
