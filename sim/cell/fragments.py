"""Puts the STDF of each device together again from the fragments of its program (dialect ``specification``)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from drycell.runtime.protocol.specification import SPECIFICATION

Json = dict[str, Any]


class Fragments:
    """Told of every fragment and status of the programs, in order; says what a device came to."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[bytes]] = {}

    def status(self, site: str, state: object) -> Sequence[bytes] | None:
        """``site`` announced ``state``; at ``idle`` all fragments of its device, None when it had not tested."""
        if state == "testing":
            self._pieces.setdefault(site, [])
        return self._pieces.pop(site, None) if state != "testing" else None

    def fragment(self, site: str, payload: bytes) -> None:
        """``site`` sent a fragment; one that came while it did not test belongs to no device."""
        if site in self._pieces:
            self._pieces[site].append(payload)


def records_of(payloads: Sequence[bytes]) -> Sequence[Json]:
    """The records in the fragments of one device. Raises ValueError in words when they are no STDF."""
    return _records_of(tuple(payloads))


@lru_cache(maxsize=64)
def _records_of(payloads: tuple[bytes, ...]) -> Sequence[Json]:
    """The same; of a small lot they are read once for all who ask one after the other: the facts, then the tally."""
    travel = SPECIFICATION.stdf
    return travel.join([travel.unpack(payload) for payload in payloads])
