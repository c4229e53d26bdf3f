"""Rules: functions that decide what becomes of a message, a packet or an answer; and how several go together.

Rules of the rules
- A rule returns None for what does not concern it, else what goes on in its place, each with a delay in nanoseconds.
  An empty list is a loss.
- Rules are asked in the order of their arming. What one of them makes is what the next is asked about; delays add up.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from drycell.sim.faults.stage import Packet

if TYPE_CHECKING:
    from drycell.sim.broker import Message

T = TypeVar("T")
Outcome = Sequence[tuple[int, T]] | None

MessageRule = Callable[["Message"], "Outcome[Message]"]
"""Message -> what is delivered in its place."""
PacketRule = Callable[[Packet], "Outcome[bytes]"]
"""Packet -> bytes that pass in its place, in order."""
ReplyRule = Callable[[str, str, str], "Outcome[str]"]
"""(instrument, question, answer) -> answers that are given in its place."""


def chain(rules: Iterable[Callable[[T], Outcome[T]]], subject: T) -> list[tuple[int, T]]:
    """What ``rules``, one after the other, make of ``subject``."""
    found = [(0, subject)]
    for rule in rules:
        after: list[tuple[int, T]] = []
        for delay_ns, one in found:
            outcome = rule(one)
            after += [(delay_ns, one)] if outcome is None else [(delay_ns + more, new) for more, new in outcome]
        found = after
    return found
