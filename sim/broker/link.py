"""The two kinds of links a client can be on: TCP and memory. Bytes and counters only; no MQTT.

Rules that hold here:
* ``received`` and ``sent`` count application bytes as the kernel of the operating system or the peer has got them;
  the lockstep kernel compares them with the counters of the process at the other end.
* Writes of one instant leave together, in one system call.
* A link tells its connection of data and of the end, each end once.
* Within the process a packet may pass as a value (see ``codec``); bytes and values keep their order.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Protocol, cast

from drycell.sim.broker import codec
from drycell.sim.broker.clock import Clock, DelayLine, Exchange

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_READ_BYTES = 256 * 1024


class LinkOwner(Protocol):
    """What a link needs of the MQTT connection on top of it."""

    def receive(self, data: bytes | codec.Value) -> None: ...
    def lost(self, cause: str) -> None: ...
    def writable(self) -> None: ...


class LinkHost(Protocol):
    """What a link needs of the broker."""

    clock: Clock
    exchange: Exchange
    stopping: bool
    gated: bool
    quick_ack: bool

    def opened(self, link: "TcpLink") -> LinkOwner: ...
    def gone(self, link: "TcpLink") -> None: ...


class TcpLink(asyncio.Protocol):
    """One accepted TCP (or TLS) connection.

    ``key`` is (local port, peer port), which names the connection at both ends. ``eof`` is set when the peer's end of
    stream (or reset) was seen. While the broker is gated, nothing is read but by ``read_available``.
    """

    kind = "tcp"

    def __init__(self, host: LinkHost) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._owner: LinkOwner | None = None
        self._out: list[bytes] = []
        self.blocked = False
        self.silent = False
        self.eof = False
        self.closed = False
        self.received = 0
        self.sent = 0
        self.key = (0, 0)

    # ------------------------------------------------------------------------------------- called by asyncio
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._socket = transport.get_extra_info("socket")
        names = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        self.key = (names[0][1] if names[0] else 0, names[1][1] if names[1] else 0)
        if self._host.stopping:
            self._transport.abort()
            return
        if self._host.gated:
            self.pause()
        self._quick_ack()
        self._owner = self._host.opened(self)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._quick_ack()
        if self._owner is not None:
            self._owner.receive(data)

    def eof_received(self) -> bool:
        self.eof = True
        self._lost()
        self.abort()
        return False

    def connection_lost(self, _: Exception | None) -> None:
        self.eof = self.closed = True
        self._lost()
        self._host.gone(self)
        self._transport = self._socket = None

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        if self._owner is not None:
            self._owner.writable()

    # --------------------------------------------------------------------------------- called by the connection
    def write(self, packet: bytes | codec.Value) -> None:
        """Send ``packet`` with whatever else is sent at this instant."""
        if not self._out:
            self._host.exchange.post(self._flush)
        self._out.append(codec.as_bytes(packet))

    def close(self) -> None:
        """Send what is written, then FIN; a peer that does not read is cut off."""
        self._flush()
        self._owner = None
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._out.clear()
        self._owner = None
        if self._transport is not None:
            self._transport.abort()

    def silence(self) -> None:
        """Become half open: nothing is read or written any more, and the peer is not told."""
        self.silent = True
        self._out.clear()
        self.pause()

    # ----------------------------------------------------------------------------- called by the lockstep kernel
    def pause(self) -> None:
        """Stop reading; what arrives stays in the operating system."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again as data come."""
        if self._transport is not None and not self.silent and not self._transport.is_closing():
            self._transport.resume_reading()

    def read_available(self) -> int:
        """Read and handle at once all that has arrived on a paused link; returns the number of bytes.

        Reads the socket itself, so the order is the caller's, not the selector's. Not for TLS.
        """
        before = self.received
        while self._transport is not None and self._socket is not None and not (self.silent or self.eof):
            try:
                data = os.read(self._socket.fileno(), _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.eof_received()
                break
            self.data_received(data)
        return self.received - before

    # ------------------------------------------------------------------------------------------------- inside
    def _flush(self, _: object = None) -> None:
        if self._out and self._transport is not None and not self.silent:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self.sent += len(data)
            self._transport.write(data)
        self._out.clear()

    def _quick_ack(self) -> None:
        if _QUICK_ACK is not None and self._host.quick_ack and self._socket is not None:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            except OSError:
                pass  # the connection is going; its end is told by connection_lost

    def _lost(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.lost("closed")


_Sent = bytes | codec.Value | None
"""What is under way on a memory link; None is the end."""


class MemoryLink:
    """A link within this process that behaves as TCP does: ordered bytes, FIN, half open, latency.

    The broker's end is written through the same methods as ``TcpLink``. The client's end is ``to_broker``, ``fin``
    and ``cut``; what the broker sends comes in ``on_data`` and ``on_end``.
    """

    kind = "memory"

    def __init__(
        self,
        clock: Clock,
        exchange: Exchange,
        latency_ns: int,
        on_data: Callable[[bytes | codec.Value], object],
        on_end: Callable[[str], object],
    ) -> None:
        self._exchange = exchange
        self._latency_ns = latency_ns
        self._on_data = on_data
        self._on_end = on_end
        self._owner: LinkOwner | None = None
        self._uplink = DelayLine(clock, self._at_broker)
        self._downlink = DelayLine(clock, self._at_client)
        self._broker_open = True
        self._client_open = True
        self.blocked = False
        self.silent = False

    def attach(self, owner: LinkOwner) -> None:
        """Name the connection at the broker's end."""
        self._owner = owner

    # ------------------------------------------------------------------------------------------ the client's end
    def to_broker(self, packet: bytes | codec.Value) -> None:
        """Send a packet, or any bytes, to the broker."""
        if self._client_open and not self.silent:
            self._send(self._uplink, self._at_broker, packet)

    def fin(self) -> None:
        """End the client's side: the broker sees the end after all bytes sent before."""
        if self._client_open and not self.silent:
            self._client_open = False
            self._send(self._uplink, self._at_broker, None)

    def cut(self) -> None:
        """Become half open: bytes of both directions vanish, nobody is told."""
        self.silent = True
        self._uplink.clear()
        self._downlink.clear()

    # ------------------------------------------------------------------------------------------ the broker's end
    def write(self, packet: bytes | codec.Value) -> None:
        """Send a packet, or any bytes, to the client."""
        if self._broker_open and not self.silent:
            self._send(self._downlink, self._at_client, packet)

    def close(self) -> None:
        """End the broker's side: the client sees the end after all bytes sent before."""
        if self._broker_open:
            self._broker_open = False
            if not self.silent:
                self._send(self._downlink, self._at_client, None)

    abort = close
    silence = cut

    # ---------------------------------------------------------------------------------------------------- inside
    def _send(self, line: DelayLine, arrive: Callable[[_Sent], object], sent: _Sent) -> None:
        if self._latency_ns:
            line.push(self._latency_ns, sent)
        else:
            self._exchange.post(arrive, sent)

    def _at_broker(self, sent: _Sent) -> None:
        if not self._broker_open or self.silent or self._owner is None:
            return
        if sent is None:
            self._broker_open = False
            self._owner.lost("closed")
        else:
            self._owner.receive(sent)

    def _at_client(self, sent: _Sent) -> None:
        if not self._client_open or self.silent:
            return
        if sent is None:
            self._client_open = False
            self._on_end("closed")
        else:
            self._on_data(sent)
