"""One instrument's turn: it does one message at a time, in the order in which they came, at simulated cost of time.

Whoever asks, over TCP or in-process, waits in the same line. No task, no thread: everything happens in callbacks of
the running asyncio loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from drycell.sim.hooks import ServedInstrument
from drycell.sim.kernel import NS_PER_S

Given = Sequence[tuple[int, bytes]]
"""What is answered to one message: texts with delays in nanoseconds; an empty text says nothing."""
Answers = Callable[[bytes, bytes], Given]
"""Told of each message and its answer; gives what is said instead."""


class Desk:
    """``put`` hands in a message; ``done`` is called with what is answered when it has been carried out."""

    def __init__(self, instrument: ServedInstrument, answers: Answers | None = None) -> None:
        self._instrument = instrument
        self._answers = answers
        self._waiting: deque[tuple[bytes, Callable[[Given], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stepping = False

    def put(self, message: bytes, done: Callable[[Given], None]) -> None:
        """Do it now if the instrument is free and it costs no time, else queue it."""
        self._waiting.append((message, done))
        self._next()

    def overrun(self) -> None:
        """A message was too long to be heard."""
        self._instrument.overrun()

    def clear(self) -> None:
        """Forget everything that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _next(self) -> None:
        """Do one message after the other until one takes time. Carrying one out may bring the next: no nesting."""
        if self._stepping or self._timer is not None:
            return
        self._stepping = True
        try:
            while self._waiting:
                delay_ns = self._instrument.latency_ns(self._waiting[0][0])
                if delay_ns > 0:
                    self._timer = asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, self._due)
                    return
                self._finish()
        finally:
            self._stepping = False

    def _due(self) -> None:
        self._timer = None
        self._stepping = True
        self._finish()
        self._stepping = False
        self._next()

    def _finish(self) -> None:
        message, done = self._waiting[0]
        answer = self._instrument.reply(message)
        given = [(0, answer)] if self._answers is None else self._answers(message, answer)
        self._waiting.popleft()
        done(given)
