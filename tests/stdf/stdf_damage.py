"""Damaged files made from a right one, each with the places at which the damage must be reported."""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from stdf_material import T0_S, part

from drycell.runtime.stdf import Encoder, LotWriter, Record, read
from drycell.runtime.stdf.damage import other
from drycell.runtime.stdf.encode import Order


@dataclass(frozen=True)
class Damaged:
    """A damaged file: what was done, the rule that must speak and the offset at which it must."""

    title: str
    data: bytes
    rule: str
    offset: int


@dataclass(frozen=True)
class Base:
    """A right file, its records, and where each begins (and the last ends)."""

    order: Order
    data: bytes
    records: list[Record]
    starts: list[int]

    def body(self, i: int) -> int:
        return self.starts[i + 1] - self.starts[i] - 4

    def piece(self, i: int) -> bytes:
        return self.data[self.starts[i] : self.starts[i + 1]]

    def without(self, i: int) -> bytes:
        return self.data[: self.starts[i]] + self.data[self.starts[i + 1] :]


def base(order: Order) -> Base:
    out: list[bytes] = []
    lot = LotWriter(
        out.append, lot_id="L1", part_typ="LDO", job_nam="demo", setup_time_s=T0_S, start_time_s=T0_S + 5,
        sites=(0, 1), order=order, mir={"JOB_REV": "7", "SUPR_NAM": "nobody"}, hard_bins={1: "good", 2: "bad"},
    )  # fmt: skip
    for wafer in ("W1", "W2"):
        lot.wafer_start(wafer, T0_S + 6)
        for i in range(3):
            lot.touchdown(part(0, f"{2 * i + 1}") + part(1, f"{2 * i + 2}", good=i % 2 == 0))
        lot.wafer_end(T0_S + 7)
    lot.finish(T0_S + 60)
    data = b"".join(out)
    records = list(read(data))
    return Base(order, data, records, [*(r.offset for r in records), len(data)])


def corpus() -> Iterator[Damaged]:
    """All damaged files, the same in each run."""
    for order in ("<", ">"):
        good = base(order)  # type: ignore[arg-type]
        pick = random.Random(f"damage {order}")
        for make in (_cuts, _lengths, _zeros, _wrong_order, _missing, _other_order, _inserted, _types):
            for item in make(good, pick):
                yield Damaged(f"{order} {item.title}", item.data, item.rule, item.offset)


def _cuts(good: Base, pick: random.Random) -> Iterator[Damaged]:
    n = len(good.records)
    for i in pick.sample(range(1, n), 30):
        start, body = good.starts[i], good.body(i)
        for inside in {1, 3, 4, 4 + body // 2, 3 + body} - {4 + body}:
            if inside < 4 + body:
                yield Damaged(f"cut {inside} bytes into record {i + 1}", good.data[: start + inside], "damage", start)
        yield Damaged(f"cut before record {i + 1}", good.data[:start], "order", good.records[i - 1].offset)


def _lengths(good: Base, pick: random.Random) -> Iterator[Damaged]:
    for i in pick.sample(range(1, len(good.records) - 1), 12):
        start, body = good.starts[i], good.body(i)
        for length in (body + 5, body - 5, body + 1, body - 1, 65535, 0, body + 300):
            if 0 <= length != body:
                header = struct.pack(f"{good.order}H", length)
                data = good.data[:start] + header + good.data[start + 2 :]
                yield Damaged(f"REC_LEN {length} for {body} in {_name(good, i)}", data, "damage", start)


def _zeros(good: Base, pick: random.Random) -> Iterator[Damaged]:
    n = len(good.records)
    for i in pick.sample(range(1, n - 4), 12):
        for count in (1, 3):
            start, stop = good.starts[i], good.starts[i + count]
            data = good.data[:start] + bytes(stop - start) + good.data[stop:]
            yield Damaged(f"{count} records of zeros from {_name(good, i)}", data, "damage", start)
        start = good.starts[i]
        data = good.data[:start] + bytes(4) + good.data[start + 4 :]
        yield Damaged(f"header of zeros at {_name(good, i)}", data, "damage", start)
    for i in [i for i, r in enumerate(good.records) if r.name in ("PTR", "MPR", "MIR")][:6]:
        start, stop = good.starts[i], good.starts[i + 1]
        data = good.data[: start + 4] + bytes(stop - start - 4) + good.data[stop:]
        yield Damaged(f"body of zeros in {_name(good, i)}", data, "damage", start)


def _wrong_order(good: Base, pick: random.Random) -> Iterator[Damaged]:
    names = [r.name for r in good.records]
    starts = good.starts
    for i in pick.sample([i for i, name in enumerate(names) if name == "PIR"], 6):
        data = good.data[: starts[i]] + good.piece(i + 1) + good.piece(i) + good.data[starts[i + 2] :]
        yield Damaged(f"test before {_name(good, i)}", data, "pairing", starts[i])
    for i in pick.sample([i for i, name in enumerate(names) if name == "PRR"], 6):
        data = good.data[: starts[i - 1]] + good.piece(i) + good.piece(i - 1) + good.data[starts[i + 1] :]
        yield Damaged(f"test after {_name(good, i)}", data, "pairing", starts[i - 1] + len(good.piece(i)))
    last = good.piece(len(names) - 1)
    for i in pick.sample(range(3, len(names) - 1), 4):
        data = good.data[: starts[i]] + last + good.data[starts[i] : starts[-2]]
        yield Damaged(f"MRR before {_name(good, i)}", data, "order", starts[i] + len(last))
    data = good.piece(0) + good.piece(2) + good.piece(1) + good.data[starts[3] :]
    yield Damaged("SDR before MIR", data, "order", starts[1])
    data = good.piece(1) + good.piece(0) + good.data[starts[2] :]
    yield Damaged("FAR second", data, "damage", 0)
    for i in pick.sample(range(3, len(names)), 3):
        data = good.data[: starts[i]] + good.piece(0) + good.data[starts[i] :]
        yield Damaged(f"a second FAR before {_name(good, i)}", data, "order", starts[i])
        data = good.data[: starts[i]] + good.piece(1) + good.data[starts[i] :]
        yield Damaged(f"a second MIR before {_name(good, i)}", data, "order", starts[i])


def _missing(good: Base, pick: random.Random) -> Iterator[Damaged]:
    names = [r.name for r in good.records]
    starts = good.starts
    yield Damaged("no FAR", good.without(0), "damage", 0)
    yield Damaged("no MIR", good.without(1), "order", starts[1])
    yield Damaged("no MRR", good.without(len(names) - 1), "order", starts[-3])
    no_pcr = b"".join(good.piece(i) for i, name in enumerate(names) if name != "PCR")
    yield Damaged("no PCR", no_pcr, "counts", len(no_pcr) - len(good.piece(len(names) - 1)))
    for i in pick.sample([i for i, name in enumerate(names) if name == "PIR"], 6):
        yield Damaged(f"no {_name(good, i)}", good.without(i), "pairing", starts[i])
    for i in pick.sample([i for i, name in enumerate(names) if name == "PRR"], 6):
        yield Damaged(f"no {_name(good, i)}", good.without(i), "pairing", starts[i - 4])
    for i in [i for i, name in enumerate(names) if name == "WIR"]:
        wrr = next(j for j in range(i, len(names)) if names[j] == "WRR")
        yield Damaged(f"no {_name(good, i)}", good.without(i), "pairing", starts[wrr] - len(good.piece(i)))
        yield Damaged(f"no {_name(good, wrr)}", good.without(wrr), "pairing", starts[i])
    tests = [i for i, name in enumerate(names) if name in ("PTR", "MPR", "FTR")]
    for i in pick.sample(tests, 6):
        lost = good.records[i]
        key = (lost["SITE_NUM"], lost["TEST_NUM"])
        tsr = next(r for r in good.records if r.name == "TSR" and (r["SITE_NUM"], r["TEST_NUM"]) == key)
        yield Damaged(f"no {_name(good, i)}", good.without(i), "counts", tsr.offset - len(good.piece(i)))


def _other_order(good: Base, pick: random.Random) -> Iterator[Damaged]:
    encoder = Encoder(other(good.order))
    for i in pick.sample(range(2, len(good.records) - 3), 15):
        data = good.data[: good.starts[i]] + encoder.encode_all(good.records[i:])
        yield Damaged(f"other byte order from {_name(good, i)}", data, "damage", good.starts[i])
        data = (
            good.data[: good.starts[i]]
            + encoder.encode_all(good.records[i : i + 3])
            + good.data[good.starts[i + 3] :]
        )
        yield Damaged(f"other byte order for 3 from {_name(good, i)}", data, "damage", good.starts[i])


def _inserted(good: Base, pick: random.Random) -> Iterator[Damaged]:
    for i in pick.sample(range(1, len(good.records)), 12):
        for count in (1, 7, 200):
            junk = bytes(pick.randrange(128, 256) for _ in range(count))
            data = good.data[: good.starts[i]] + junk + good.data[good.starts[i] :]
            yield Damaged(f"{count} foreign bytes before {_name(good, i)}", data, "damage", good.starts[i])


def _types(good: Base, pick: random.Random) -> Iterator[Damaged]:
    for i in pick.sample(range(1, len(good.records)), 10):
        start = good.starts[i]
        data = good.data[: start + 2] + b"\x63\x07" + good.data[start + 4 :]
        yield Damaged(f"unknown type for {_name(good, i)}", data, "damage", start)


def _name(good: Base, i: int) -> str:
    return f"{good.records[i].name} (record {i + 1})"
