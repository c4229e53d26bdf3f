"""STDF records, as JSON objects, taken apart into the parts they are about. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One result: everything between the PIR and the PRR of a part; ``wafer``: of the WIR before it, "" for none."""

    site: int
    part: str
    records: list[Json]
    wafer: str = ""


def parts_of(records: Iterable[object]) -> list[Part]:
    """The parts in ``records``, in the order of their PRR; damaged ones are left out."""
    return [part for touchdown in touchdowns_of_records(records) for part in touchdown]


def touchdowns_of_records(records: Iterable[object]) -> list[Sequence[Part]]:
    """The parts that were tested at once: a touchdown ends when every part in it has its PRR."""
    return list(_touchdowns(records))


def _touchdowns(records: Iterable[object]) -> Iterator[list[Part]]:
    begun: dict[int, list[Json]] = {}
    done: list[Part] = []
    wafer = ""
    for record in records:
        if not isinstance(record, dict):
            continue
        kind, site = record.get("type"), record.get("SITE_NUM")
        if kind in ("WIR", "WRR"):
            wafer = str(record.get("WAFER_ID") or "") if kind == "WIR" else ""
        elif kind == "PIR" and isinstance(site, int):
            begun[site] = []
        elif isinstance(site, int) and site in begun:
            begun[site].append(record)
            if kind == "PRR":
                own, name = begun.pop(site), record.get("PART_ID")
                if name is not None:
                    done.append(Part(site, str(name), own, wafer))
                if not begun and done:
                    yield done
                    done = []
    if done:
        yield done


def tests_of(records: Sequence[Json]) -> Iterator[tuple[list[Json], Json | None]]:
    """The values of each test and its FTR, which follows them; None for values without one."""
    values: list[Json] = []
    for record in records:
        if record.get("type") in ("PTR", "MPR"):
            values.append(record)
        elif record.get("type") == "FTR":
            yield values, record
            values = []
    if values:
        yield values, None
