"""The one seam that every message passes, whoever published it: clients, wills, in-process peers, amqtt plugins.

Rules that hold here, in this order for each message:
1. the message fault decides what becomes of it (drop, duplicate, delay, modify);
2. the journal records it ("message");
3. taps are called, in order of their registration, each at most once per message;
4. it goes to the subscribed MQTT clients, in order of subscription.
A message published meanwhile (from within a tap) waits until all four steps are done: breadth first, so the order of
the journal is the order in which everybody sees the messages.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from drycell.sim.broker.clock import Clock
from drycell.sim.broker.messages import Message, MessageFault
from drycell.sim.broker.topics import FilterIndex, filter_fault
from drycell.sim.errors import DrycellError

Record = Callable[..., object]


@dataclass(eq=False, slots=True)
class _Tap:
    topic_filter: str
    callback: Callable[[Message], object]
    active: bool = True


def payload_fields(payload: bytes) -> dict[str, str]:
    """A payload as the journal shows it: text, or base64 when it is not UTF-8."""
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payload_b64": b64encode(payload).decode()}


class Router:
    """Takes messages, hands them on. ``fan_out`` is step 4; the embedded broker provides it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.fault: MessageFault | None = None
        self.clock: Clock | None = None
        self.fan_out: Callable[[Message], object] | None = None
        self._taps: FilterIndex[_Tap] = FilterIndex()
        self._backlog: deque[Message] = deque()
        self._busy = False

    def tap(self, topic_filter: str, callback: Callable[[Message], object]) -> Callable[[], None]:
        """See ``Broker.tap``."""
        fault = filter_fault(topic_filter)
        if fault is not None:
            raise DrycellError(f"a tap can not use the topic filter {topic_filter!r}: {fault}")
        tap = _Tap(topic_filter, callback)
        self._taps.add(topic_filter, tap, 0)

        def remove() -> None:
            tap.active = False
            self._taps.remove(topic_filter, tap)

        return remove

    def submit(self, message: Message) -> None:
        """Step 1, then the rest at once, or after the delay that the fault asks for."""
        if self.fault is None:
            self._enqueue(message)
            return
        for delay_ns, changed in self.fault(message):
            if delay_ns > 0:
                assert self.clock is not None
                self.clock.at(self.clock.now_ns() + delay_ns, self._late, changed)
            else:
                self._enqueue(changed)

    def reset(self) -> None:
        """Forget what is under way (the broker stops); taps stay."""
        self._backlog.clear()
        self.fan_out = self.clock = None

    def _late(self, message: Message) -> None:
        if self.fan_out is not None:  # else the broker stopped while the message was delayed
            self._enqueue(message)

    def _enqueue(self, message: Message) -> None:
        self._backlog.append(message)
        if self._busy:
            return
        self._busy = True
        try:
            while self._backlog:
                self._dispatch(self._backlog.popleft())
        finally:
            self._busy = False

    def _dispatch(self, message: Message) -> None:
        fields = payload_fields(message.payload)
        if message.will:
            self.record("message", message.sender, topic=message.topic, qos=message.qos, retain=message.retain,
                        will=True, **fields)  # fmt: skip
        else:
            self.record(
                "message", message.sender, topic=message.topic, qos=message.qos, retain=message.retain, **fields
            )
        for tap, _ in self._taps.match(message.topic):
            if tap.active:
                try:
                    tap.callback(message)
                except Exception as error:
                    self._report(error)
        if self.fan_out is not None:
            self.fan_out(message)

    def _report(self, error: Exception) -> None:
        """A failing tap is a defect of the peer that owns it: the loop's handler is told, the message goes on."""
        if self.clock is None:
            raise error
        self.clock.loop.call_exception_handler({"message": "a tap of the broker failed", "exception": error})
