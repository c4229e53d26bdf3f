"""Instruments from the YAML files of pyvisa-sim (specification 1.0 and 1.1): dialogues, properties, channels, errors.

Rules that hold here:
- The file is data; nothing of pyvisa-sim is used. Its documentation ("Building your own simulated instruments") is
  the source of the format.
- ``{RANDOM(a, b, n):...}`` draws from the run's seed.
- Terminators of the file (``eom``) do not matter: lines end with a newline, one before which a carriage return may
  stand. A device without an answer for its error says nothing.
- A number may be written in any usual way; pyvisa-sim wants two digits and no sign.
- ``bases``, ``connections``, ``bundled`` and ``channel_ids`` are not supported (the first does not work in pyvisa-sim
  itself).
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from drycell.plugins_sim.instruments.files import refuse_unknown, section
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.streams import stream

Json = Mapping[str, Any]
QUEUE_LIMIT = 1000
_BYTES = re.compile(r"BYTES\(([0-9a-fA-F\s]+)\)")
_FIELD = re.compile(r"\{([a-zA-Z_]\w*|\d*)(?::([^{}]*))?\}")
_RANDOM = re.compile(r"\{RANDOM\(\s*([^,()]+),\s*([^,()]+),\s*(\d+)\s*\):?([^{}]*)\}")
_KINDS: Mapping[str, Callable[[str], Any]] = {"float": float, "int": lambda text: int(text), "str": str}
_SCANS = {"f": r"[+-]?(?:\d+\.?\d*|\.\d+)", "e": r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", "d": r"[+-]?\d+"}


def load(data: Json, path: Path, device: str | None, seed: int, name: str) -> "PyvisaSimDevice":
    """Device ``device`` of a file (may be left out if there is but one). Raises DrycellError for what is wrong."""
    devices = data.get("devices")
    if not isinstance(devices, Mapping) or not devices or "spec" not in data:
        raise DrycellError(f"{path} is no file of pyvisa-sim: it needs the keys spec and devices.")
    if str(data["spec"]) not in ("1.0", "1.1", "1"):
        raise DrycellError(f"{path} has specification {data['spec']}; 1.0 and 1.1 are known.")
    chosen = device if device is not None else (next(iter(devices)) if len(devices) == 1 else None)
    if chosen not in devices:
        raise DrycellError(f"{path} has no device {device!r}; name one of {', '.join(map(str, devices))}.")
    try:
        return PyvisaSimDevice(devices[chosen], seed, name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DrycellError(f"{path}: device {chosen} cannot be read ({type(error).__name__}: {error}).") from None


def is_one(data: Json) -> bool:
    """Whether ``data`` is the content of such a file."""
    return "spec" in data and "devices" in data


def instruments(data: Json, path: Path) -> dict[str, Json]:
    """The instruments of the bench that such a file describes: every one of its ``resources`` is a device of its own.

    Raises DrycellError for what is wrong.
    """
    made: dict[str, Json] = {}
    for resource, entry in section(data, "resources", str(path)).items():
        if not isinstance(entry, Mapping) or "device" not in entry:
            raise DrycellError(f"{path}: resource {resource} must be a mapping with the key device.")
        refuse_unknown(entry, ("device", "filename"), f"{path}: resource {resource}")
        file = str(entry.get("filename", path.name))
        made[str(resource)] = {"file": file, "device": str(entry["device"]), "resources": str(resource)}
    if not made:
        raise DrycellError(f"{path} names no resources, so nobody could reach its devices; add some.")
    return made


class PyvisaSimDevice:
    """One device of such a file, with the face of an instrument."""

    def __init__(self, data: Json, seed: int, name: str) -> None:
        if "bases" in data:
            raise DrycellError("the key bases of pyvisa-sim files is not supported; write the device out in full.")
        self._delimiter = str(data.get("delimiter", ";")).encode()
        self._random = stream(seed, "instrument", name, "random")
        self._responses: dict[str, bytes | None] = {}
        self._registers: dict[bytes, tuple[dict[str, int], list[int]]] = {}
        self._queues: dict[bytes, tuple[dict[str, bytes], deque[bytes]]] = {}
        self._add_errors(data.get("error", {}))
        self._own = _Component(data, self._random, None, True)
        self._channels = [
            _Component(entry, self._random, [str(i) for i in entry.get("ids", ())], _truth(entry.get("can_select")))
            for entry in data.get("channels", {}).values()
        ]

    def reply(self, message: bytes) -> bytes:
        """The answers to one line, each on its own line; empty if there is none. Never raises."""
        answers: list[bytes] = []
        for query in message.split(self._delimiter) if self._delimiter else [message]:
            answer = self._one(query)
            if answer is None:
                answer = self._failed("command_error")
            if answer:
                answers.append(answer)
        return b"\n".join(answers)

    def answer(self, line: str) -> str:
        """The same for text."""
        return self.reply(line.encode("utf-8", "replace")).decode("latin-1")

    def latency_ns(self, message: bytes) -> int:
        """Such devices answer at once."""
        return 0

    def overrun(self) -> None:
        """A line was too long to be heard."""
        self._failed("command_error")

    def _one(self, query: bytes) -> bytes | None:
        """The answer, empty for none, None if nothing matches."""
        if query in self._registers:
            value = self._registers[query][1]
            answer, value[0] = str(value[0]).encode(), 0
            return answer
        if query in self._queues:
            texts, queue = self._queues[query]
            return queue.popleft() if queue else texts["default"]
        for component in (self._own, *self._channels):
            selected = self._own.value("selected_channel") if not component.can_select else None
            found = component.match(query, selected, self._failed)
            if found is not None:
                return found
        return None

    def _failed(self, kind: str) -> bytes:
        for bits, value in self._registers.values():
            value[0] |= bits.get(kind, 0)
        for texts, queue in self._queues.values():
            if kind in texts and len(queue) < QUEUE_LIMIT:
                queue.append(texts[kind])
        return self._responses.get(kind) or b""

    def _add_errors(self, error: Json | str) -> None:
        if not isinstance(error, Mapping):
            self._responses = {kind: _bytes(error) for kind in ("command_error", "query_error")}
            return
        self._responses = {kind: _bytes(text) for kind, text in error.get("response", {}).items()}
        for entry in error.get("status_register", ()):
            bits = {kind: int(bit) for kind, bit in entry.items() if kind != "q"}
            self._registers[_must(entry["q"])] = (bits, [0])
        for entry in error.get("error_queue", ()):
            texts = {kind: _must(text) for kind, text in entry.items() if kind not in ("q", "strict")}
            self._queues[_must(entry["q"])] = ({"default": b"", **texts}, deque())


class _Component:
    """Dialogues and properties of a device or of its channels (``ids``)."""

    def __init__(self, data: Json, random: np.random.Generator, ids: list[str] | None, can_select: bool) -> None:
        self.can_select = can_select or ids is None
        self._ids = ids
        self._random = random
        self._dialogues = {str(d["q"]).strip(" "): _text(d.get("r")) for d in data.get("dialogues", ())}
        self._properties = {str(name): _Property(entry) for name, entry in data.get("properties", {}).items()}

    def value(self, name: str) -> str | None:
        """The present value of a property."""
        found = self._properties.get(name)
        return None if found is None else str(found.value(None))

    def match(self, query: bytes, selected: str | None, failed: Callable[[str], bytes]) -> bytes | None:
        """The answer to ``query``, None if it is not understood here."""
        text = query.decode("latin-1")
        channels: list[str | None] = [None]
        if self._ids is not None:
            channels = [*self._ids] if self.can_select else [selected] if selected in self._ids else []
        for channel in channels:
            found = self._ask(query, channel)
            if found is not None:
                return found
        for entry in self._properties.values() if channels else ():
            found = entry.set(text, selected, failed)
            if found is not None:
                return found
        return None

    def _ask(self, query: bytes, channel: str | None) -> bytes | None:
        for pattern, response in self._dialogues.items():
            if query == _must(_filled(pattern, channel)):
                return self._shown(response, None, channel)
        for entry in self._properties.values():
            if entry.getter and query == _must(_filled(entry.getter[0], channel)):
                return self._shown(entry.getter[1], entry.value(channel), channel)
        return None

    def _shown(self, response: str | None, value: Any, channel: str | None) -> bytes:
        if response is None:
            return b""
        random = _RANDOM.search(response)
        if random:
            low, high, count = float(random[1]), float(random[2]), min(int(random[3]), 100_000)
            draws = low + (high - low) * self._random.random(count)
            before, after = response[: random.start()], response[random.end() :]
            return _must(", ".join(f"{before}{draw:{random[4]}}{after}" for draw in draws.tolist()))
        if value is not None:
            response = _formatted(response, value, channel)
        return _must(response)


class _Property:
    """A remembered value, one per channel."""

    def __init__(self, data: Json) -> None:
        specs = data.get("specs", {})
        self._kind = _KINDS[specs["type"]] if specs else str
        self._low, self._high = (None if key not in specs else self._kind(str(specs[key])) for key in ("min", "max"))
        self._valid = {self._kind(str(value)) for value in specs.get("valid", ())}
        self._values: dict[str | None, Any] = {}
        self._default = self._checked(str(data.get("default", "")))
        getter, setter = data.get("getter"), data.get("setter")
        self.getter = None if getter is None else (str(getter["q"]).strip(" "), _text(getter.get("r")))
        self._setter = None if setter is None else _scanner(str(setter["q"]).strip(" "))
        self._response = None if setter is None else _text(setter.get("r"))
        self._error = None if setter is None else _text(setter.get("e"))

    def value(self, channel: str | None) -> Any:
        return self._values.get(channel, self._default)

    def set(self, text: str, channel: str | None, failed: Callable[[str], bytes]) -> bytes | None:
        found = self._setter.fullmatch(text) if self._setter else None
        if found is None:
            return None
        groups = found.groupdict()
        try:
            self._values[groups.get("ch_id", channel)] = self._checked(groups["value"].strip())
        except ValueError:
            answer = failed("command_error")
            return answer if self._error is None else _must(self._error)
        return b"" if self._response is None else _must(self._response)

    def _checked(self, text: str) -> Any:
        value = self._kind(text)
        if (self._low is not None and value < self._low) or (self._high is not None and value > self._high):
            raise ValueError(f"{text} is out of range")
        if self._valid and value not in self._valid:
            raise ValueError(f"{text} is not among the valid values")
        return value


def _scanner(query: str) -> re.Pattern[str]:
    """A setter's format (PEP 3101) turned round: what it scans."""
    pattern, end, values = "", 0, 0
    for found in _FIELD.finditer(query):
        name, form = found[1], found[2] or ""
        kind = form[-1:].lower() or "s"
        kind = {"g": "e"}.get(kind, kind)
        scan = _SCANS.get(kind, r".*?")
        if name == "ch_id":
            group = f"(?P<ch_id>{scan if kind == 'd' else r'.+?'})"
        else:
            values += 1
            group = f"(?P<value>{scan})"
        pattern += re.escape(query[end : found.start()]) + group
        end = found.end()
    if values != 1:
        raise ValueError(f"the setter {query!r} must have one value")
    return re.compile(pattern + re.escape(query[end:]), re.ASCII)


def _formatted(response: str, value: Any, channel: str | None) -> str:
    """``response`` with the value put in; a property without specs holds text, which may have to be a number here."""
    for kind in (type(value), int, float):
        try:
            return response.format(kind(value), ch_id=channel)
        except ValueError:
            pass
    return str(value)


def _filled(pattern: str, channel: str | None) -> str:
    return pattern if channel is None else pattern.replace("{ch_id}", channel)


def _text(value: Any) -> str | None:
    return None if value is None or value == "null_response" else str(value).strip(" ")


def _truth(value: Any) -> bool:
    return str(value).lower() != "false"


def _bytes(value: Any) -> bytes | None:
    text = _text(value)
    return None if text is None else _must(text)


def _must(value: Any) -> bytes:
    text = str(value).replace("\\r", "\r").replace("\\n", "\n")
    parts = _BYTES.split(text)
    return b"".join(bytes.fromhex(p) if k % 2 else p.encode("utf-8") for k, p in enumerate(parts))
