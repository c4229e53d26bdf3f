"""The broker as the other rooms see it.

Rules that hold here:
* It lives on the running loop and on the injected clock; it never looks at the wall clock.
* The journal gets only simulated facts: no port, no address, no wall time.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator

from drycell.sim.broker.client import MemoryClient, OnClose, OnConnect, OnMessage
from drycell.sim.broker.clock import Clock
from drycell.sim.broker.connection import Connection
from drycell.sim.broker.embedded import EmbeddedBroker
from drycell.sim.broker.link import MemoryLink, TcpLink
from drycell.sim.broker.messages import BrokerOptions, Message, MessageFault, PacketFault, Will
from drycell.sim.broker.router import Record, Router
from drycell.sim.errors import DrycellError

_DEFAULT_OPTIONS = BrokerOptions()


class Broker:
    """An MQTT 3.1.1 broker inside the simulator: amqtt, embedded and made conformant.

    ``now_ns`` gives the simulated time. ``record(kind, actor, **fields)`` writes one event of the journal: "connect",
    "disconnect", "subscribe", "unsubscribe", "message", "refused", "dropped". ``host`` is an IP address; anything but
    loopback needs TLS, credentials and ``options.expose``. ``port`` 0 takes a free one. Without ``tcp`` only
    in-process peers can connect. ``start`` and ``stop`` may alternate; sessions and retained messages do not outlive
    ``stop``, taps do.
    """

    def __init__(
        self,
        *,
        now_ns: Callable[[], int],
        record: Record,
        host: str = "127.0.0.1",
        port: int = 0,
        tcp: bool = True,
        options: BrokerOptions = _DEFAULT_OPTIONS,
    ) -> None:
        self._now_ns = now_ns
        self._host = "127.0.0.1" if host == "localhost" else host
        self._wanted_port = port
        self._tcp = tcp
        self._options = options
        self._router = Router(record)
        self._core: EmbeddedBroker | None = None
        self._port: int | None = None
        self._packet_fault: PacketFault | None = None
        if tcp:
            self._check_address()

    # --------------------------------------------------------------------------------------------- life cycle
    async def start(self) -> None:
        """Open the listener. Raises DrycellError in one sentence when the port is taken."""
        if self._core is not None:
            raise DrycellError("the broker runs already")
        loop = asyncio.get_running_loop()
        listening = self._listen() if self._tcp else None
        core = EmbeddedBroker(self._router, Clock(self._now_ns, loop), self._options, listening, self._tls_context())
        core.packet_fault = self._packet_fault
        self._router.clock, self._router.fan_out = core.clock, core.fan_out
        self._core = core
        await core.start()
        self._port = listening.getsockname()[1] if listening is not None else None

    async def stop(self) -> None:
        """Close all connections, without wills, and the listener; leaves nothing behind."""
        core, self._core, self._port = self._core, None, None
        if core is not None:
            self._router.reset()
            await core.stop()

    @property
    def running(self) -> bool:
        """Whether it is started."""
        return self._core is not None

    def keep_port(self) -> None:
        """Take the present port again at the next start, as a broker that is only restarted."""
        if self._port is not None:
            self._wanted_port = self._port

    @property
    def host(self) -> str:
        """The address of the listener."""
        return self._host

    @property
    def port(self) -> int:
        """The real port of the listener."""
        if self._port is None:
            raise DrycellError("the broker has no port: it is not started, or it was made without TCP")
        return self._port

    # ------------------------------------------------------------------------------------------ in-process peers
    def publish(self, sender: str, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> None:
        """Publish from within the simulator: journalled and tapped before this returns, then sent to MQTT clients.

        Called from within a tap, it waits until the present message is complete.
        """
        self._running()
        if not topic or "#" in topic or "+" in topic or "\0" in topic:
            raise DrycellError(f"{topic!r} can not be published on: a topic name is not empty and has no wildcard")
        self._router.submit(Message(topic, payload, qos, retain, sender))

    def tap(self, topic_filter: str, callback: Callable[[Message], object]) -> Callable[[], None]:
        """Call ``callback(message)`` for each message that matches; returns what removes the tap.

        Taps are called in order of registration, each at most once per message.
        """
        return self._router.tap(topic_filter, callback)

    def connect(
        self,
        client_id: str,
        *,
        will: Will | None = None,
        clean: bool = True,
        keepalive_s: int = 60,
        on_message: OnMessage | None = None,
        on_connect: OnConnect | None = None,
        on_close: OnClose | None = None,
        latency_ns: int = 0,
        username: str | None = None,
        password: bytes | None = None,
    ) -> MemoryClient:
        """An MQTT 3.1.1 client on an in-memory link; ``latency_ns`` is for each direction. See ``MemoryClient``."""
        core = self._running()
        client = MemoryClient(
            client_id,
            clock=core.clock,
            exchange=core.exchange,
            keepalive_s=keepalive_s,
            on_message=on_message,
            on_connect=on_connect,
            on_close=on_close,
        )
        link = MemoryLink(core.clock, core.exchange, latency_ns, client.receive, client.ended)
        link.attach(core.attach(link))
        client.start(link, will, clean, username, password)
        return client

    # ------------------------------------------------------------------------------------------------- faults
    @property
    def message_fault(self) -> MessageFault | None:
        """Message seam: what becomes of each message; None leaves all as they are."""
        return self._router.fault

    @message_fault.setter
    def message_fault(self, fault: MessageFault | None) -> None:
        self._router.fault = fault

    @property
    def packet_fault(self) -> PacketFault | None:
        """Packet seam of all connections, both directions; None leaves all as they are."""
        return self._packet_fault

    @packet_fault.setter
    def packet_fault(self, fault: PacketFault | None) -> None:
        self._packet_fault = fault
        if self._core is not None:
            self._core.packet_fault = fault

    def connections(self) -> Iterator[Connection]:
        """All open connections, oldest first; ``name`` is the client id."""
        return self._running().connections()

    def drop(self, client_id: str, *, silent: bool = False) -> bool:
        """Break a client's connection: with FIN to the client, or ``silent``, half open. False when it has none."""
        for connection in self.connections():
            if connection.name == client_id:
                if silent:
                    connection.link.silence()
                else:
                    connection.end("closed", "dropped by a fault")
                return True
        return False

    # ----------------------------------------------------------------------------------------------- lockstep
    def links(self) -> tuple[TcpLink, ...]:
        """All TCP links that are not closed completely, in order of acceptance; see ``TcpLink`` for counters."""
        return tuple(self._running().links)

    @property
    def gated(self) -> bool:
        """While True no TCP link is read, new ones included; read them with ``TcpLink.read_available``."""
        return self._running().gated

    @gated.setter
    def gated(self, gated: bool) -> None:
        core = self._running()
        core.gated = gated
        for link in tuple(core.links):
            if gated:
                link.pause()
            else:
                link.resume()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do at this instant but what the loop itself knows."""
        return self._running().exchange.idle

    # ------------------------------------------------------------------------------------------------- inside
    def _running(self) -> EmbeddedBroker:
        if self._core is None:
            raise DrycellError("the broker is not started")
        return self._core

    def _check_address(self) -> None:
        try:
            address = ipaddress.ip_address(self._host)
        except ValueError:
            raise DrycellError(
                f"the broker's host {self._host!r} is not an IP address; 127.0.0.1 would be right"
            ) from None
        options = self._options
        if not address.is_loopback:
            credentials = options.access is not None and options.access.enforce and options.access.credentials
            missing = [
                name
                for name, given in (
                    ("TLS", options.tls),
                    ("credentials", credentials),
                    ("the expose flag", options.expose),
                )
                if not given
            ]
            if missing:
                raise DrycellError(
                    f"the broker may listen on {self._host} only with TLS, credentials and the expose flag; "
                    f"missing: {', '.join(missing)}"
                )

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(
            family, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )  # asyncio: TCP_NODELAY only if named
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setblocking(False)
            listening.bind((self._host, self._wanted_port))
            listening.listen(100)
        except (OSError, OverflowError) as error:
            listening.close()
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program has it; stop that program or choose port 0" if taken else str(error)
            raise DrycellError(f"the broker can not listen on {self._host} port {self._wanted_port}: {why}") from None
        return listening

    def _tls_context(self) -> ssl.SSLContext | None:
        tls = self._options.tls
        if tls is None:
            return None
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls.certificate, tls.key)
            if tls.client_ca is not None:
                context.load_verify_locations(tls.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:
            raise DrycellError(
                f"the TLS certificate {tls.certificate} or its key {tls.key} can not be used: {error}"
            ) from None
        return context
