"""A capture on disk: a folder of segments in the stored form, each a file of its own.

Rules
- ``store`` has handed everything to the disk when it returns, if ``durable``.
- A segment that a killed process left behind is closed by starting the next one; nothing is rewritten.
- All segments count from the instant of the first. A lock keeps a second capture out of the folder.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from drycell.sim.errors import DrycellError
from drycell.sim.replay.recording import Entry, Gap
from drycell.sim.replay.stored import SUFFIX, header_line, line_of, read_header, segments


class Segments:
    """Writes the segments of ``folder``, which is made when missing.

    ``header`` goes into the headers; in a folder that was begun before, those of its last segment stay, and what
    ``same`` names must be equal, else DrycellError is raised. Beyond
    ``segment_bytes`` a new segment begins; beyond ``limit_bytes`` in all the oldest ones are removed. ``last_ns`` is
    when something was written last before, in ns since ``start_unix_ns``; None in a new folder.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        now_unix_ns: int,
        header: dict[str, Any],
        *,
        same: str,
        segment_bytes: int,
        limit_bytes: int | None = None,
    ) -> None:
        self._folder, self._source = folder, source
        self._segment_bytes, self._limit_bytes = segment_bytes, limit_bytes
        self._fd = -1
        self._lock = _lock(folder)
        before = segments(folder)
        self.last_ns: int | None = None
        self._number = int(before[-1].name.partition(".")[0]) if before else 0
        if before:
            found = read_header(before[-1])
            if found.get(same) != header[same]:
                self.close()
                raise DrycellError(f"{folder} was begun with other {same}; name another folder with -o")
            self.start_unix_ns = int(found["start_unix_ns"])
            self.last_ns = before[-1].stat().st_mtime_ns - self.start_unix_ns
            self.header = {key: found.get(key, value) for key, value in header.items()}
        else:
            self.start_unix_ns, self.header = now_unix_ns, header
        self._begin()

    def store(self, items: Iterable[Entry | Gap], *, durable: bool) -> None:
        """Append; ``durable``: and wait for the disk. Raises DrycellError when the disk does not take it."""
        data = b"".join(map(line_of, items))
        try:
            while data:
                written = os.write(self._fd, data)
                self._size += written
                data = data[written:]
            if durable:
                os.fdatasync(self._fd)
            if self._size >= self._segment_bytes:
                self._begin()
        except OSError as error:
            raise DrycellError(
                f"{self._folder} takes no more ({error.strerror}); make room and start again in the same folder"
            ) from None

    def close(self) -> None:
        """Close the segment and release the folder; idempotent."""
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1

    def _begin(self) -> None:
        if self._fd >= 0:
            os.fdatasync(self._fd)
            os.close(self._fd)
        self._number += 1
        path = self._folder / f"{self._number:06}{SUFFIX}"
        part = path.with_name(f".{path.name}.part")
        self._fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o640)
        head = header_line("capture", self._source, self.start_unix_ns, number=self._number, **self.header)
        self._size = os.write(self._fd, head)
        part.rename(path)
        self._remove_oldest()

    def _remove_oldest(self) -> None:
        if self._limit_bytes is not None:
            files = segments(self._folder)
            total = sum(file.stat().st_size for file in files)
            for file in files[:-1]:
                if total <= self._limit_bytes:
                    break
                total -= file.stat().st_size
                file.unlink()


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise DrycellError(f"{folder} cannot be written ({error.strerror}); name another folder with -o") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise DrycellError(f"another capture writes to {folder}; name another folder with -o") from None
    return fd
