"""The instruments of the bench: one TCP connection each, SCPI messages out, lines back.

DRYCELL_PSU and so on hold their addresses as "host:port". Every error of a link is an OSError, so the
test that spoke ends in its alarm bin and the next test connects anew.
"""

import os
import socket

TIMEOUT_S = 5.0
_links = {}


def _link(name):
    if name not in _links:
        host, _, port = os.environ[f"DRYCELL_{name.upper()}"].rpartition(":")
        link = socket.create_connection((host, int(port)), TIMEOUT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _links[name] = link, link.makefile("rb")
    return _links[name]


def send(name, message):
    """Tell an instrument something that it does not answer."""
    try:
        _link(name)[0].sendall(message.encode("ascii") + b"\n")
    except OSError:
        _links.pop(name, None)
        raise


def ask(name, message):
    """Ask an instrument something, return the number of its answer."""
    send(name, message)
    try:
        line = _link(name)[1].readline()
    except OSError:
        _links.pop(name, None)
        raise
    if not line.endswith(b"\n"):
        _links.pop(name, None)
        raise ConnectionError(f"{name} closed the connection instead of answering {message!r}")
    return float(line)
