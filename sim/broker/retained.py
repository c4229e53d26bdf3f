"""Retained messages: the last message of each topic, kept in amqtt's own table (MQTT 3.1.1 section 3.3.1.3).

Rules that hold here:
* An empty payload forgets [MQTT-3.3.1-10] [MQTT-3.3.1-11].
* Beyond the limit a message on a further topic is not kept, and the journal says so.
"""

from amqtt.broker import RetainedApplicationMessage
from amqtt.events import BrokerEvents
from amqtt.session import Session

from drycell.sim.broker.hooks import Hooks
from drycell.sim.broker.messages import Message
from drycell.sim.broker.router import Record
from drycell.sim.broker.topics import matches


class RetainedStore:
    """Keeps and finds retained messages in ``table``, oldest first."""

    def __init__(
        self, table: dict[str, RetainedApplicationMessage], limit: int, record: Record, hooks: Hooks
    ) -> None:
        self._table = table
        self._limit = limit
        self._record = record
        self._hooks = hooks

    def keep(self, source: Session | None, message: Message) -> None:
        """Keep ``message``, or forget what is kept of its topic when its payload is empty."""
        topic = message.topic
        known = self._table.pop(topic, None)
        if message.payload:
            if known is None and len(self._table) >= self._limit:
                cause = "too many retained messages"
                self._record("dropped", message.sender, cause=cause, topic=topic, qos=message.qos)
                return
            known = self._table[topic] = RetainedApplicationMessage(source, topic, message.payload, message.qos)
        elif known is not None:
            known.data = b""
        if known is not None:
            self._hooks.fire(BrokerEvents.RETAINED_MESSAGE, client_id=None, retained_message=known)

    def matching(self, topic_filter: str) -> list[RetainedApplicationMessage]:
        """The retained messages of all topics that match."""
        if "#" in topic_filter or "+" in topic_filter:
            return [kept for topic, kept in self._table.items() if matches(topic, topic_filter)]
        kept = self._table.get(topic_filter)
        return [] if kept is None else [kept]
