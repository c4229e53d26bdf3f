"""amqtt's broker, subclassed: its sessions, subscriptions, retained messages, plugins, life cycle; our connections.

Rules that hold here:
* Nothing waits: every method below runs to its end within one callback of the loop, so the order of everything is the
  order of arrival. amqtt's tasks, queues and wall-clock timers for messages are not started.
* amqtt's tables (``sessions``, ``subscriptions``, ``retained_messages``) stay true for its plugins.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from typing import cast

from amqtt.broker import Broker as AmqttBroker
from amqtt.broker import Server
from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType
from amqtt.events import BrokerEvents
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.manager import plugins_manager
from amqtt.session import Session

from drycell.sim.broker import codec
from drycell.sim.broker.clock import Clock, Exchange
from drycell.sim.broker.connection import AnyLink, Connection
from drycell.sim.broker.hooks import Hooks
from drycell.sim.broker.lifecycle import LifeCycle
from drycell.sim.broker.link import TcpLink
from drycell.sim.broker.messages import BrokerOptions, Message, PacketFault
from drycell.sim.broker.outbox import Outbox
from drycell.sim.broker.retained import RetainedStore
from drycell.sim.broker.router import Router
from drycell.sim.broker.session import SimSession
from drycell.sim.broker.topics import FilterIndex, filter_fault

_ACCEPT_TURNS = 4
"""Turns of the loop that asyncio needs from accepting a socket to telling its protocol, which then drops it."""


class _Listener(Server):
    """Closes without waiting for connections, on which amqtt hangs for ever on Python 3.12 and newer."""

    async def close_instance(self) -> None:
        self.instance.close()
        abort_clients = getattr(self.instance, "abort_clients", None)  # Python 3.13: TLS handshakes under way
        if abort_clients is not None:
            abort_clients()
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)


class EmbeddedBroker(AmqttBroker):
    """One start of the broker. ``stop`` ends it for good."""

    def __init__(
        self,
        router: Router,
        clock: Clock,
        options: BrokerOptions,
        listening: socket.socket | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        config = BrokerConfig(
            listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
            plugins={path: dict(fields) for path, fields in options.plugins.items()},
        )
        super().__init__(config)
        plugins_manager.clear()  # amqtt's register of the last one, which nobody asks and which keeps all of its run
        self.router = router
        self.clock = clock
        self.options = options
        self.exchange = Exchange(clock)
        self.hooks = Hooks(self.plugins_manager)
        self.retained = RetainedStore(self._retained_messages, options.max_retained, router.record, self.hooks)
        self.outbox = Outbox(options, router.record)
        self.packet_fault: PacketFault | None = None
        self.quick_ack = options.quick_ack
        self.stopping = False
        self.gated = False
        self.links: dict[TcpLink, None] = {}
        self._listening = listening
        self._tls = tls
        self._index: FilterIndex[SimSession] = FilterIndex(merge=not options.overlap_copies)
        self._connections: dict[Connection, None] = {}
        self._numbers = 0
        self._unnamed = 0
        self._emptied: asyncio.Future[None] | None = None
        self._expiries: dict[SimSession, asyncio.TimerHandle] = {}

    # ------------------------------------------------------------------------------------------- life cycle
    def _init_states(self) -> None:
        self.transitions = LifeCycle()  # type: ignore[assignment]

    async def _start_listeners(self) -> None:
        await super()._start_listeners()
        if self._listening is not None:
            timeout_s = self.options.connect_timeout_s if self._tls else None
            server = await self.clock.loop.create_server(
                lambda: TcpLink(self), sock=self._listening, ssl=self._tls, ssl_handshake_timeout=timeout_s
            )
            self._servers["tcp"] = _Listener("tcp", server)

    async def _session_monitor(self) -> None:
        """amqtt polls for expired sessions each second; ours have one timer each."""

    async def _broadcast_loop(self) -> None:
        """amqtt works off a queue here; our messages go through the router at once."""
        await self._broadcast_shutdown_waiter

    async def stop(self) -> None:
        """Close everything without wills; afterwards no task, timer or descriptor of the broker is left."""
        self.stopping = True
        for connection in list(self._connections):
            connection.release()
        for link in list(self.links):
            link.abort()
        for timer in self._expiries.values():
            timer.cancel()
        self._connections.clear()
        await self.shutdown()
        if self.links:
            self._emptied = self.clock.loop.create_future()
            await self._emptied
        self.exchange.clear()

    async def _stop_handler(self, handler: BrokerProtocolHandler) -> None:
        """amqtt's handlers are not used; our connections are closed by ``stop``."""

    # ---------------------------------------------------------------------------------------------- links
    def opened(self, link: TcpLink) -> Connection:
        """A TCP connection was accepted."""
        self.links[link] = None
        return self.attach(link)

    def attach(self, link: AnyLink) -> Connection:
        """Put an MQTT connection on top of a link."""
        self._numbers += 1
        connection = Connection(self, link, self._numbers)
        self._connections[connection] = None
        return connection

    def gone(self, link: TcpLink) -> None:
        """A TCP connection is closed completely."""
        self.links.pop(link, None)
        if self._emptied is not None and not self.links and not self._emptied.done():
            self._emptied.set_result(None)

    def connections(self) -> Iterator[Connection]:
        """All open connections, oldest first."""
        return iter(tuple(self._connections))

    # ------------------------------------------------------------------------------------- CONNECT and the end
    def accept(self, connection: Connection, connect: codec.Connect) -> None:
        """Take a client in (MQTT 3.1.1 section 3.1.4). Raises ``codec.ConnectRefusedError``."""
        client_id = connect.client_id
        if not client_id:
            self._unnamed += 1
            client_id = f"auto-{self._unnamed}"
        fresh = self._new_session(client_id, connect)
        self._authenticate_now(fresh, connect)
        old, _ = self._sessions.get(client_id, (None, None))
        if isinstance(old, SimSession) and old.connection is not None:
            old.connection.end("takeover")
        old, _ = self._sessions.get(client_id, (None, None))
        session, present = fresh, False
        if isinstance(old, SimSession):
            if connect.clean or old.clean_session:
                self._forget(old)
            else:
                self._renew(old, fresh)
                session, present = old, True
        session.parent = int(present)
        session.transitions.connect()
        session.connection = connection
        connection.session = session
        self._sessions[client_id] = (session, cast(BrokerProtocolHandler, connection))
        self._journal_connect(session, present)
        connection.send(codec.encode_connack(0, present))
        self.hooks.fire(BrokerEvents.CLIENT_CONNECTED, client_id=client_id, client_session=session)
        if present:
            self.outbox.resume(session)

    @staticmethod
    def _new_session(client_id: str, connect: codec.Connect) -> SimSession:
        session = SimSession()
        session.client_id = client_id
        session.clean_session = connect.clean
        session.keep_alive = connect.keepalive_s
        session.username = connect.username
        session.password = None if connect.password is None else connect.password.decode("utf-8", "replace")
        session.will = connect.will
        return session

    def _renew(self, old: SimSession, fresh: SimSession) -> None:
        """A resumed session takes everything from the new CONNECT, the will with its retain flag included."""
        expiry = self._expiries.pop(old, None)
        if expiry is not None:
            expiry.cancel()
        old.keep_alive, old.username, old.password = fresh.keep_alive, fresh.username, fresh.password
        old.will = fresh.will

    def _authenticate_now(self, session: SimSession, connect: codec.Connect) -> None:
        access = self.options.access
        reason = access.refuse_connect(session.name, connect.username, connect.password) if access else None
        if reason is not None:
            raise codec.ConnectRefusedError(
                reason, codec.encode_connack(4 if access and access.credentials else 5), session.name
            )
        if session.name not in self._sessions and len(self._sessions) >= self.options.max_sessions:
            reason = f"there are {self.options.max_sessions} sessions already"
            raise codec.ConnectRefusedError(reason, codec.encode_connack(3), session.name)
        will = session.will
        if will is not None and (
            will.topic[0] == "$" or (access and access.refuse_publish(session.name, will.topic))
        ):
            raise codec.ConnectRefusedError(
                f"the will may not go to {will.topic}", codec.encode_connack(5), session.name
            )
        refuser = self.hooks.refuser(session)
        if refuser is not None:
            raise codec.ConnectRefusedError(f"{refuser} refuses the client", codec.encode_connack(5), session.name)

    def _journal_connect(self, session: SimSession, present: bool) -> None:
        will = session.will
        extra: dict[str, object] = {}
        if will is not None:
            extra = {"will_topic": will.topic, "will_qos": will.qos, "will_retain": will.retain}
        self.router.record("connect", session.name, clean=bool(session.clean_session), keepalive_s=session.keep_alive,
                           session_present=present, **extra)  # fmt: skip

    def ended(self, connection: Connection, cause: str, detail: str, client_id: str) -> None:
        """A connection ended; called by ``Connection.end`` once."""
        self._connections.pop(connection, None)
        session = connection.session
        extra = {"detail": detail} if detail else {}
        if session is None:
            if cause != "closed":
                self.router.record("refused", client_id, cause=cause, **extra)
            return
        session.connection = None
        session.transitions.disconnect()
        self.router.record("disconnect", session.name, cause=cause, **extra)
        self.hooks.fire(BrokerEvents.CLIENT_DISCONNECTED, client_id=session.name, client_session=session)
        will, session.will = session.will, None
        if session.clean_session:
            self._forget(session)
        elif self.options.session_expiry_s is not None:
            at_ns = self.clock.now_ns() + round(self.options.session_expiry_s * 1e9)
            self._expiries[session] = self.clock.at(at_ns, self._forget, session)
        if will is not None and cause != "disconnect":
            self.router.submit(Message(will.topic, will.payload, will.qos, will.retain, session.name, will=True))

    def _forget(self, session: SimSession) -> None:
        """Delete a session and its subscriptions."""
        expiry = self._expiries.pop(session, None)
        if expiry is not None:
            expiry.cancel()
        if self._sessions.get(session.name, (None,))[0] is session:
            del self._sessions[session.name]
        for topic_filter in list(session.filters):
            self._drop_filter(session, topic_filter)
        session.inflight_out.clear()
        session.inflight_in.clear()
        session.clear_queues()

    # ------------------------------------------------------------------------------------------ subscriptions
    def subscribe(self, session: SimSession, packet_id: int, filters: list[tuple[str, int]]) -> None:
        """SUBSCRIBE: answer first, then the retained messages of each granted filter (section 3.8.4)."""
        codes = [self._grant(session, topic_filter, qos) for topic_filter, qos in filters]
        assert session.connection is not None
        session.connection.send(codec.encode_suback(packet_id, codes))
        for (topic_filter, qos), code in zip(filters, codes, strict=True):
            if code != codec.REFUSED:
                self.router.record("subscribe", session.name, topic_filter=topic_filter, qos=qos)
                self.hooks.fire(BrokerEvents.CLIENT_SUBSCRIBED, client_id=session.name, topic=topic_filter, qos=qos)
                for kept in self.retained.matching(topic_filter):
                    if self.hooks.allow(session, kept.topic, Action.RECEIVE):
                        self.outbox.deliver(session, kept.topic, bytes(kept.data), min(qos, kept.qos or 0), True)

    def _grant(self, session: SimSession, topic_filter: str, qos: int) -> int:
        reason = filter_fault(topic_filter)
        if reason is None and topic_filter.startswith("$share/"):
            reason = "shared subscriptions belong to MQTT 5"
        if (
            reason is None
            and topic_filter not in session.filters
            and len(session.filters) >= self.options.max_filters
        ):
            reason = f"the client has {self.options.max_filters} filters already"
        if reason is None and self.options.access is not None:
            reason = self.options.access.refuse_subscribe(session.name, topic_filter)
        if reason is None and not self.hooks.allow(session, topic_filter, Action.SUBSCRIBE):
            reason = "a plugin refuses the filter"
        if reason is not None:
            self.router.record("refused", session.name, cause="subscribe", topic_filter=topic_filter, detail=reason)
            return codec.REFUSED
        self._add_filter(session, topic_filter, qos)
        return qos

    def _add_filter(self, session: SimSession, topic_filter: str, qos: int) -> None:
        session.filters[topic_filter] = qos
        self._index.add(topic_filter, session, qos)
        entries = self._subscriptions.setdefault(topic_filter, [])
        for place, (other, _) in enumerate(entries):
            if other is session:
                entries[place] = (session, qos)
                return
        entries.append((session, qos))

    def _drop_filter(self, session: SimSession, topic_filter: str) -> bool:
        if session.filters.pop(topic_filter, None) is None:
            return False
        self._index.remove(topic_filter, session)
        left = [entry for entry in self._subscriptions.get(topic_filter, []) if entry[0] is not session]
        if left:
            self._subscriptions[topic_filter] = left
        else:
            self._subscriptions.pop(topic_filter, None)
        return True

    def unsubscribe(self, session: SimSession, filters: list[str]) -> None:
        """UNSUBSCRIBE (section 3.10)."""
        for topic_filter in filters:
            if self._drop_filter(session, topic_filter):
                self.router.record("unsubscribe", session.name, topic_filter=topic_filter)
                self.hooks.fire(BrokerEvents.CLIENT_UNSUBSCRIBED, client_id=session.name, topic=topic_filter)

    # --------------------------------------------------------------------------------------------- publishing
    def check_publish(self, session: SimSession, topic: str) -> None:
        """Raise ``codec.ProtocolError``, which closes the connection, when the client may not publish there.

        Source: [MQTT-3.3.5-2].
        """
        reason = None
        if topic[0] == "$":
            reason = "topics that begin with $ belong to the server (section 4.7.2)"
        elif self.options.access is not None:
            reason = self.options.access.refuse_publish(session.name, topic)
        if reason is None and not self.hooks.allow(session, topic, Action.PUBLISH):
            reason = "a plugin refuses the topic"
        if reason is not None:
            self.router.record("refused", session.name, cause="publish", topic=topic, detail=reason)
            raise codec.ProtocolError(f"PUBLISH on {topic} refused [MQTT-3.3.5-2]")

    def hold(self, session: SimSession, packet_id: int, message: Message) -> None:
        """Keep a QoS 2 message until PUBREL. Raises ``codec.ProtocolError`` when too much is unfinished."""
        session.incoming_bytes += len(message.payload)
        if session.incoming_bytes > self.options.max_queued_bytes:
            raise codec.ProtocolError(
                f"more than {self.options.max_queued_bytes} bytes of QoS 2 messages without PUBREL"
            )
        session.inflight_in[packet_id] = message

    def fan_out(self, message: Message) -> None:
        """Give ``message`` to all subscribers, at the lower of the two QoS [MQTT-3.8.4-6]; keep it when retained."""
        if message.retain:
            source, _ = self._sessions.get(message.sender, (None, None))
            self.retained.keep(source, message)
        topic = message.topic
        for session, granted in self._index.match(topic):
            if self.hooks.allow(session, topic, Action.RECEIVE):
                self.outbox.deliver(session, topic, message.payload, min(granted, message.qos), False)

    # -------------------------------------------------------------------------------------- amqtt's own ways in
    async def _broadcast_message(
        self, session: Session | None, topic: str | None, data: bytes | bytearray | None, force_qos: int | None = None
    ) -> None:
        """Messages of amqtt plugins pass the same seam as all others."""
        sender = (session.client_id if session else None) or "broker"
        self.router.submit(Message(topic or "", bytes(data or b""), force_qos or 0, False, sender))

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        """Retain on behalf of an amqtt plugin."""
        sender = (source_session.client_id if source_session else None) or "broker"
        self.retained.keep(source_session, Message(topic_name or "", bytes(data or b""), qos or 0, True, sender))

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Subscribe a session on behalf of an amqtt plugin."""
        if not isinstance(session, SimSession) or filter_fault(subscription[0]) is not None:
            return codec.REFUSED
        self._add_filter(session, *subscription)
        return subscription[1]

    async def _del_all_subscriptions(self, session: Session) -> None:
        if isinstance(session, SimSession):
            self._forget(session)
