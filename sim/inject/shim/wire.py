"""The lockstep wire protocol, version 1: message layouts shared by both ends (specified in ``docs/lockstep.md``).

Rules: one datagram per message on an AF_UNIX SOCK_SEQPACKET socket; little endian; every message opens with a kind
byte and the version byte; times are signed 64-bit nanoseconds of simulated time, -1 stands for "none".
"""

from __future__ import annotations

import os
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
HELLO, CONFIG, RUN, IDLE, LOG, BUSY, QUERY = b"H", b"C", b"R", b"I", b"L", b"B", b"Q"
NEVER = -1
MAX_BYTES = 1 << 20

# How many bytes may be under way on one connection and direction: small enough for every socket buffer, so that no
# send ever depends on how the operating system sizes its buffers.
WINDOW_BYTES = 64 * 1024

# RUN flags
EXCLUSIVE = 1  # this process runs alone: it may open connections
RECHECK = 2  # look at children and uncovered descriptors again

# IDLE flags
UNCOVERED = 1  # waits on a descriptor the counters do not cover
CHILDREN = 2  # has live children, or waits for one
WANTS_ALONE = 4  # a thread waits to be run alone
RAN = 8  # some thread ran since RUN

# link flags, P to K
WRITE_CLOSED = 1
CLOSED = 2
BLOCKED = 4  # a thread waits for room to send
# link flags, K to P
FIN = 1  # nothing follows after the announced bytes
GONE = 2  # the other end is closed in both directions

HEAD = Struct("<cB")
RUN_BODY = Struct("<cBBqqHB")  # kind, version, flags, now, horizon, links, signals
RUN_LINK = Struct("<HHqqB")  # local port, peer port (seen from P), announced, window, flags
IDLE_BODY = Struct("<cBBqqqHH")  # kind, version, flags, at, deadline, clock, links, children
IDLE_LINK = Struct("<HHqqB")  # local port, peer port, consumed, sent, flags
CHILD = Struct("<i")


class WireError(Exception):
    """A message that does not follow the protocol, or another version of it."""


def check(message: bytes) -> bytes:
    """The kind of ``message``; WireError if it is cut short or of another version."""
    if len(message) < HEAD.size:
        raise WireError(f"lockstep message of {len(message)} bytes is too short; at least 2 bytes are needed")
    kind, version = HEAD.unpack_from(message)
    if version != VERSION:
        raise WireError(f"lockstep protocol version {version} met; this end speaks version {VERSION}")
    return bytes(kind)


def text(kind: bytes, body: str) -> bytes:
    """A message whose body is UTF-8 text (JSON): HELLO, CONFIG, LOG, BUSY, QUERY."""
    return HEAD.pack(kind, VERSION) + body.encode("utf-8", "backslashreplace")


def body(message: bytes) -> str:
    """The text of a message made by ``text``."""
    return message[HEAD.size :].decode("utf-8")


def through_folder(path: str, use: Callable[[str], object]) -> None:
    """``use`` (bind or connect) the socket at ``path``, however long that is: an address holds 107 bytes at most."""
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)
