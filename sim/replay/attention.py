"""What a person tells a capture: to stop (SIGINT, SIGTERM; twice: at once), to mark (SIGUSR1, typing a line)."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NOTE_LIMIT_BYTES = 4096
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Attention:
    """Waits for data and for people alike. ``notes_fd``: where lines are typed, None for nowhere."""

    def __init__(self, notes_fd: int | None = None) -> None:
        self._notes_fd = notes_fd
        self._typed = b""
        self._marks: list[str] = []
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.stop = self.hurry = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Heed signals; afterwards they are what they were. To be called from the main thread."""
        waker = signal.set_wakeup_fd(self._wake_w)
        before = {number: signal.signal(number, self._signalled) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(waker)

    def wait(self, timeout_s: float, data_fd: int | None = None) -> None:
        """Return when there are data, a person says something, or the time is over."""
        watched = [fd for fd in (data_fd, self._wake_r, self._notes_fd) if fd is not None]
        ready, _, _ = select.select(watched, (), (), max(timeout_s, 0.0))
        if self._wake_r in ready:
            os.read(self._wake_r, 4096)
        if self._notes_fd in ready and self._notes_fd is not None:
            self._type(os.read(self._notes_fd, 4096))

    def marks(self) -> list[str]:
        """The marks made since the last call."""
        marks, self._marks = self._marks, []
        return marks

    def end(self) -> None:
        """Stop; may be called from another thread."""
        self.stop = True
        os.write(self._wake_w, b"\0")

    def close(self) -> None:
        """Give its pipe back."""
        os.close(self._wake_r)
        os.close(self._wake_w)

    def _type(self, data: bytes) -> None:
        if not data:
            self._notes_fd = None
        *notes, rest = (self._typed + data).split(b"\n")
        self._marks += [note.decode("utf-8", "replace").strip() for note in notes]
        self._typed = rest[:_NOTE_LIMIT_BYTES]

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._marks.append("")
        else:
            self.stop, self.hurry = True, self.stop
