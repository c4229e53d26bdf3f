"""Runs the foreign STDF libraries, each in an environment and a process of its own, and compares what they say."""

import json
import subprocess
from pathlib import Path
from typing import Any

from environments import environment

from drycell.runtime.stdf import EXACT, Bits, Encoder, Record
from drycell.runtime.stdf.encode import Order
from drycell.runtime.stdf.values import GENERIC

REQUIREMENTS = ["Semi-ATE-STDF==0.1.28", "pystdf==1.4.0", "stdf-tamer==1.0.44"]
PROGRAMS = Path(__file__).parent / "oracles"


def ask(program: str, task: dict[str, Any]) -> list[Any]:
    """What a program in ``oracles`` answers."""
    python = environment("stdf-oracles", REQUIREMENTS)
    done = subprocess.run(
        [python, str(PROGRAMS / f"{program}.py")],
        input=json.dumps(task), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return list(json.loads(done.stdout))


def read_by(library: str, order: Order, records: list[Record]) -> set[str]:
    """What the library reads differently: "TYPE.FIELD", "TYPE error", "TYPE rebuilt", "absent filled"."""
    raws = [Encoder(order, EXACT).encode(r).hex() for r in records]
    answers = ask(f"read_{library}", {"order": order, "records": raws})
    wrong: set[str] = set()
    for rec, raw, answer in zip(records, raws, answers, strict=True):
        if "error" in answer:
            wrong.add(f"{rec.name} error")
            continue
        if set(rec.fields) == set(rec.type.names) and answer.get("again", raw) != raw:
            wrong.add(f"{rec.name} rebuilt")
        for name in rec.type.names:
            wrong |= _judge(library, rec, name, answer["fields"])
    return wrong


def _judge(library: str, rec: Record, name: str, theirs: dict[str, Any]) -> set[str]:
    value = theirs.get(name)
    if name not in rec.fields:
        return set() if value is None else {"absent filled"}
    ours = _as_seen_by(library, rec.fields[name])
    return set() if ours == value else {f"{rec.name}.{name}"}


def _as_seen_by(library: str, value: Any) -> Any:
    """The same value in the library's way of giving it: bits as text for Semi-ATE, bytes as numbers elsewhere."""
    if isinstance(value, Bits):
        bits = [value.data[i >> 3] >> (i & 7) & 1 for i in range(value.length)]
        return [str(b) for b in bits] if library == "semi_ate" else bits
    if isinstance(value, bytes):
        return [str(b >> i & 1) for b in value for i in range(8)] if library == "semi_ate" else list(value)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        generic = [[[GENERIC.index(code), v]] if library == "semi_ate" else [code, v] for code, v in value]
        return list(generic)
    return value


def written_by_semi_ate(order: Order, records: list[Record]) -> list[tuple[Record, str, str]]:
    """(record, our bytes in hex, its bytes in hex or its error) of each record."""
    plain = [{"name": r.name, "fields": {n: _as_given(r, n) for n in r.fields}} for r in records]
    answers = ask("write_semi_ate", {"order": order, "records": plain})
    ours = [Encoder(order, EXACT).encode(r).hex() for r in records]
    return list(zip(records, ours, answers, strict=True))


def _as_given(rec: Record, name: str) -> Any:
    value = rec.fields[name]
    if rec.type.fields[rec.type.index[name]].type == "B1":
        return list(f"{value:08b}")
    if isinstance(value, bytes):
        return [bit for byte in value for bit in f"{byte:08b}"]
    return _as_seen_by("semi_ate", value) if isinstance(value, Bits) else value
