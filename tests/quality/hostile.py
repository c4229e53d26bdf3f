"""Damaged and hostile files for the readers of recordings: drawn by seed, most of them made of whole files.

``python -m tests.quality.hostile [COUNT] [SEED]`` reads so many of them (1,000) in this process, prints what became of
them, and fails when one was neither read nor refused with a reason, took more than a second of CPU, or needed too much
memory. ``--loose``: times are shown, not judged.
"""

import argparse
import io
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.sim.errors import DrycellError
from drycell.sim.replay import Gap, Recording, open_recording
from drycell.sim.replay.packets import packets
from drycell.sim.replay.stored import SUFFIX, store
from drycell.sim.report.pcapng import write_pcapng

KEPT = Path(__file__).parents[1] / "replay" / "recordings"
CPU_LIMIT_S = 1.0
MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
MESSAGES = 150
Chance = random.Random


# ------------------------------------------------------------------------------------------------------ whole files


def originals(folder: Path) -> dict[str, bytes]:
    """A whole file of each format by the name of its reader: the beginning of the real lot."""
    kept = open_recording(KEPT / f"real_lot{SUFFIX}")
    lot = list(islice((entry for entry in kept if entry.kind == "publish"), MESSAGES))
    said = [(entry.t_ns / 1e9, entry.topic, entry.payload.decode(), entry.qos) for entry in lot]
    recording = Recording("real lot", "", lambda: iter(lot), start_unix_ns=1_790_000_000 * 10**9)
    store(recording, folder / "capture")
    write_pcapng(packets(recording), folder / "pcap", 1_790_000_000 * 10**9)
    messages = [
        {"createAt": f"2026-11-21 15:00:{t % 60:06.3f}", "topic": topic, "payload": text, "qos": qos}
        for t, topic, text, qos in said
    ]
    events = [
        {"seq": n, "t_ns": int(t * 1e9), "actor": "a", "kind": "message", "topic": topic, "qos": qos,
         "retain": False, "payload": text}
        for n, (t, topic, text, qos) in enumerate(said)
    ]  # fmt: skip
    return {
        "capture": (folder / "capture").read_bytes(),
        "pcap": (folder / "pcap").read_bytes(),
        "journal": _lines('{"drycell_journal":1,"seed":7}', *map(json.dumps, events)),
        "mosquitto": _lines(*(f"{1_790_000_000 + t:.6f} {topic} {text}" for t, topic, text, _ in said)),
        "jsonl": _lines(*(json.dumps({**m, "tst": m["createAt"][:19].replace(" ", "T")}) for m in messages)),
        "json": json.dumps([{"clientId": "m", "messages": messages}], indent=1).encode(),
        "csv": _lines("time,topic,payload", *(f'{t:.6f},{o},"{p.replace(chr(34), chr(34) * 2)}"' for t, o, p, _ in said)),
        "stdf": (KEPT / "real_lot.stdf").read_bytes(),
        "log": _lines(
            *(f"TestApp0 |21/11/2026 03:{n // 60 % 60:02}:{n % 60:02} PM |INFO    |{t}" for n, (_, _, t, _) in enumerate(said))
        ),
    }  # fmt: skip


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


# ---------------------------------------------------------------------------------------------------------- damage


def _place(chance: Chance, data: bytes, longest: int) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.randrange(1, longest))


def _flipped(chance: Chance, data: bytes) -> bytes:
    raw = bytearray(data)
    for _ in range(chance.choice((1, 5, 200))):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def _cut(chance: Chance, data: bytes) -> bytes:
    return data[: chance.randrange(1, len(data))]


def _without_beginning(chance: Chance, data: bytes) -> bytes:
    return data[chance.randrange(1, len(data)) :]


def _without_piece(chance: Chance, data: bytes) -> bytes:
    begin, end = _place(chance, data, 5_000)
    return data[:begin] + data[end:]


def _piece_again(chance: Chance, data: bytes) -> bytes:
    begin, end = _place(chance, data, 50_000)
    return data[:end] + data[begin:end] * chance.choice((1, 3, 20)) + data[end:]


def _noise(chance: Chance, data: bytes) -> bytes:
    begin, end = _place(chance, data, 3_000)
    return data[:begin] + chance.randbytes(end - begin) + data[end:]


def _extremes(chance: Chance, data: bytes) -> bytes:
    raw = bytearray(data)
    for _ in range(chance.choice((1, 4, 30))):
        at, size = chance.randrange(len(raw)), chance.choice((1, 2, 4, 8))
        raw[at : at + size] = chance.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * size
    return bytes(raw)


def _inserted(chance: Chance, data: bytes) -> bytes:
    bombs = (
        b"[" * 100_000, b'{"a":' * 50_000, b'"' * 9_999, b"\0" * 70_000, b"9" * 5_000, b"1e999999999", b"NaN", b"-1",
        b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\r", b"\n" * 50_000, b",,,,," * 9_000, b"#", b"../../etc/passwd",
    )  # fmt: skip
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(bombs) + data[at:]


def _numbers(chance: Chance, data: bytes) -> bytes:
    new = chance.choice((b"99999999999999999999", b"-1", b"1e400", b"0.0000000000000000001", b"null", b"[]"))
    return data.replace(chance.choice((b"1", b"0", b"15", b"2026", b"21")), new, chance.choice((1, 50, 2_000)))


def _without_ends(chance: Chance, data: bytes) -> bytes:
    return data.replace(b"\n", chance.choice((b" ", b"", b"\r", b"\0")))


DAMAGES: Sequence[Callable[[Chance, bytes], bytes]] = (
    _flipped, _cut, _without_beginning, _without_piece, _piece_again, _noise, _extremes, _inserted, _numbers,
    _without_ends,
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------- hostility


def _frames(*segments: tuple[int, int, int, bytes]) -> bytes:
    """pcap of TCP segments: client port, sequence, flags, data."""
    out = io.BytesIO()
    out.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    for n, (port, sequence, flags, data) in enumerate(segments):
        size = 40 + len(data)
        ip = b"\x45\0" + size.to_bytes(2, "big") + bytes(5) + b"\x06\0\0" + bytes((10, 0, 0, 2, 10, 0, 0, 1))
        tcp = (
            port.to_bytes(2, "big")
            + b"\x07\x5b"
            + sequence.to_bytes(4, "big")
            + bytes(4)
            + bytes((80, flags))
            + bytes(6)
        )
        frame = bytes(12) + b"\x08\0" + ip + tcp + data
        times = (1_790_000_000 + n // 10**6).to_bytes(4, "little") + (n % 10**6).to_bytes(4, "little")
        out.write(times + 2 * len(frame).to_bytes(4, "little") + frame)
    return out.getvalue()


def _hello(name: str) -> bytes:
    raw = name.encode()
    return bytes((0x10, 12 + len(raw))) + b"\0\x04MQTT\x04\x02\0\x3c" + len(raw).to_bytes(2, "big") + raw


HOSTILE: dict[str, Callable[[Chance], bytes]] = {
    "a SYN flood": lambda c: _frames(*((n % 60_000, c.randrange(1 << 32), 2, b"") for n in range(20_000))),
    "a flood of connections": lambda c: _frames(*((n, 1, 24, _hello(f"c{n}")) for n in range(1, 6_000))),
    "holes in front of everything": lambda c: _frames(*((9, 1 + 3 * n, 24, b"0") for n in range(12_000))),
    "segments backwards": lambda c: _frames((9, 0, 2, b""), *((9, 12_000 - n, 24, b"0") for n in range(11_999))),
    "segments everywhere": lambda c: _frames(*((9, c.randrange(1 << 32), 24, c.randbytes(20)) for _ in range(12_000))),
    "one packet of 256 MB": lambda c: _frames((9, 1, 24, _hello("a") + b"\x30\xff\xff\xff\x7f"), *((9, 23 + n * 1_000, 24, bytes(1_000)) for n in range(2_000))),
    "pings without end": lambda c: _frames(*((9, 1 + n * 1_000, 24, b"\xc0\x00" * 500) for n in range(30))),
    "a block of 4 GB": lambda c: bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000") + b"\x06\0\0\0\xfc\xff\xff\xff" + c.randbytes(5_000),
    "100,000 interfaces": lambda c: bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000") + bytes.fromhex("0100000014000000010000000000000014000000") * 100_000,
    "a resolution of 2 to the minus 127": lambda c: bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000" "01000000200000000100000000000000090001" "00ff00000000000000" "20000000") + c.randbytes(64),
    "a line of 30 MB": lambda c: b"ate/x " + b"y" * 30_000_000,
    "a line of 30 MB that begins as JSON": lambda c: b'{"topic":"t","payload":"' + b"y" * 30_000_000,
    "a document of 17 MB": lambda c: b'[{"topic":"t","payload":"' + b"y" * 17_000_000 + b'"}]',
    "a document that is deep": lambda c: b'{"topic":"t","messages":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "a document that is deep and wide": lambda c: b'[{"topic":"t","messages":' + b'[{"a":' * 400 + b"1" + b"}]" * 400 + b"}]",
    "a document without an end anywhere": lambda c: b'[{"topic":"t"' + b',{"payload":' * 90_000,
    "braces": lambda c: b'[{"topic": "t", "payload": 1}, ' + b"{" * 500_000,
    "many keys": lambda c: ('[{"topic":"t","payload":{' + ",".join(f'"{n}":{n}' for n in range(60_000)) + "}}]").encode(),
    "numbers beyond all": lambda c: b'{"topic":"t","payload":1,"tst":1e999}\n{"topic":"t","payload":1,"tst":1e-400}\n{"topic":"t","payload":1,"tst":"' + b"9" * 100_000 + b'"}\n',
    "lines that are all damaged": lambda c: b'{"drycell_recording":1}\n' + b"{}\n" * 60_000,
    "a journal of nothing": lambda c: b'{"drycell_journal":1}\n' + b"[]\n" * 60_000,
    "a version to come": lambda c: b'{"drycell_recording":99}\n',
    "a recording of extremes": lambda c: b'{"drycell_recording":1,"start_unix_ns":9223372036854775807}\n{"t_ns":9223372036854775807,"kind":"publish","topic":"t"}\n{"t_ns":-9223372036854775808,"kind":"connect","client":"","detail":{"will":{"topic":"","qos":2,"retain":true}}}\n',
    "subscriptions to everything": lambda c: b'{"drycell_recording":1}\n' + b"".join(b'{"t_ns":1,"kind":"subscribe","client":"%d","detail":{"filters":[["#",2]]}}\n' % n for n in range(200)) + b'{"t_ns":2,"kind":"publish","client":"x","topic":"t","qos":2}\n' * 20,
    "a quote that never ends": lambda c: b'time,topic,payload\n1,t,"' + b"x\n" * 900_000,
    "columns without end": lambda c: b"time,topic,payload" + b"," * 400_000 + b"\n" + b"1,t,x" + b"," * 400_000 + b"\n",
    "rows without a topic": lambda c: b"time,topic,payload\n1,t,x\n" + b",,\n" * 60_000,
    "an STDF file of records that do not exist": lambda c: b"\x02\0\0\x0a\x02\x04" + c.randbytes(60_000),
    "an STDF file of empty records": lambda c: b"\x02\0\0\x0a\x02\x04" + b"\0\0\x32\x1e" * 40_000,
    "STDF records that claim too much": lambda c: b"\x02\0\0\x0a\x02\x04" + b"\xff\xff\x0f\x0a" * 20_000,
    "a log that never begins anew": lambda c: b"a |21/11/2026 03:00:00 PM |INFO |x\n" + b"more\n" * 200_000,
    "a log of the year 0": lambda c: b"a |00/00/0000 00:00:00 AM |INFO |x\n" * 2_000,
    "a payload that goes on": lambda c: b"ate/x {\n" + b"  more\n" * 100_000,
    "a zip file": lambda c: b"PK\x03\x04" + c.randbytes(3_000),
    "zeros": lambda c: bytes(5_000_000),
    "noise": lambda c: c.randbytes(c.randrange(1, 300_000)),
    "nothing but ends of lines": lambda c: b"\n" * 500_000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """``format``: the reader whose file it was, None for one that was hostile from the beginning."""

    story: str
    format: str | None
    data: bytes


def files(count: int, seed: int, whole: dict[str, bytes]) -> Iterator[File]:
    """``count`` files; first each hostile one, then damaged ones."""
    for number in range(count):
        chance = Chance(f"{seed}/{number}")
        if number % 3 == 0:
            story = list(HOSTILE)[number // 3 % len(HOSTILE)]
            yield File(story, None, HOSTILE[story](chance))
        else:
            name = chance.choice(list(whole))
            damages = chance.choices(DAMAGES, k=chance.choice((1, 1, 1, 2, 4)))
            data = whole[name]
            for damage in damages:
                data = damage(chance, data) or b"\0"
            yield File(f"{name}: {', '.join(one.__name__[1:] for one in damages)}", name, data)


# ---------------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a file: ``outcome`` is read, refused, or the error that must not be. ``cpu_s`` for reading it."""

    story: str
    outcome: str
    entries: int
    gaps: int
    cpu_s: float


def judge(file: File, folder: Path) -> Iterator[Judged]:
    """Read it as its first bytes say and, if it was damaged, as what it was; write again what was read."""
    path = folder / "file"
    path.write_bytes(file.data)
    for format in (None,) if file.format is None else (None, file.format):
        yield _judge(file.story, path, format)


def _judge(story: str, path: Path, format: str | None) -> Judged:
    kinds: Counter[bool] = Counter()
    before_s = time.process_time()
    try:
        recording = open_recording(path, format)
        kinds.update(isinstance(item, Gap) for item in recording.items())
        spent_s = time.process_time() - before_s
        outcome = "read"
        _write_again(recording, path)
    except DrycellError as error:
        spent_s = time.process_time() - before_s
        outcome = "refused" if str(error) else "refused without a reason"
    except Exception as error:
        spent_s = time.process_time() - before_s
        outcome = f"{type(error).__name__}: {error}"
    return Judged(story, outcome, kinds[False], kinds[True], spent_s)


def _write_again(recording: Recording, path: Path) -> None:
    """As a recording and as packets; the latter may be refused."""
    for made in (path.with_suffix(".out"), path.with_suffix(".pcapng")):
        made.unlink(missing_ok=True)
    store(recording, path.with_suffix(".out"))
    write_pcapng(packets(recording), path.with_suffix(".pcapng"), recording.start_unix_ns or 0)


def main(count: int, seed: int, *, loose: bool) -> int:
    """Print the verdict as JSON; 1 when it is a bad one."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(60 + 5 * count * CPU_LIMIT_S),) * 2)
    with TemporaryDirectory() as place:
        folder = Path(place)
        whole = originals(folder)
        judged = [one for name, data in whole.items() for one in judge(File(f"whole {name}", name, data), folder)]
        assert all(one.outcome == "read" and not one.gaps for one in judged), judged
        held = _peak_bytes()
        judged = [one for file in files(count, seed, whole) for one in judge(file, folder)]
    needed = _peak_bytes() - held
    wrong = [one for one in judged if one.outcome not in ("read", "refused")]
    slow = [] if loose else [one for one in judged if one.cpu_s > CPU_LIMIT_S]
    told = {
        "files": count,
        "readings": len(judged),
        "outcomes": Counter(one.outcome if one not in wrong else "wrong" for one in judged),
        "read with gaps": sum(one.outcome == "read" and one.gaps > 0 for one in judged),
        "wrong": [asdict(one) for one in wrong],
        "slowest": [asdict(one) for one in sorted(judged, key=lambda one: -one.cpu_s)[:5]],
        "memory_bytes": needed,
    }
    print(json.dumps(told, indent=1))
    return 1 if wrong or slow or needed > MEMORY_LIMIT_BYTES else 0


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=1_000)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--loose", action="store_true")
    options = parser.parse_args()
    sys.exit(main(options.count, options.seed, loose=options.loose))
