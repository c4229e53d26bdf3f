"""The devices of a run: where each was tested, what was measured on it, and where it ended.

Rules
- A device counts with its last attempt, as in :mod:`drycell.sim.cell.tally`.
- Measured values are those of the PTR records in the result messages, limits and units come with them; all are in
  base units, as STDF stores them, without its scaling exponents.
- True values come from the journal when it has them (``true`` in a ``contact`` entry), else from :mod:`truth`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drycell.sim.kernel.journal import Event
from drycell.sim.report.words import result_records

MOST_DEVICES = 50_000
FAILED = 0x80  # TEST_FLG bit 7, STDF V4 PTR
_NO_RESULT = 0x02 | 0x10  # TEST_FLG bits 1 and 4: RESULT is not valid, test not executed
OPEN_VOLTS = 9.0e37  # what instruments answer for "no reading" (SCPI: 9.91E37 and 9.9E37)


@dataclass(slots=True)
class Device:
    """One device. ``seq``: the event of its last result or, without one, of its last contact."""

    number: int
    part: str
    site: str
    touchdown: int
    seq: int
    t_ns: int
    place: tuple[Any, int, int] | None = None
    attempts: int = 0
    hard_bin: int | None = None
    soft_bin: int | None = None
    values: dict[int, float] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    true: Mapping[str, float] | None = None


@dataclass(slots=True)
class Test:
    """A parametric test, by its number. Limits are None where the record has none."""

    number: int
    name: str
    units: str
    low: float | None
    high: float | None


@dataclass(slots=True)
class Parts:
    """Feed events with :meth:`contact`, :meth:`result` and :meth:`sorted`."""

    devices: dict[tuple[str, int], Device] = field(default_factory=dict)
    tests: dict[int, Test] = field(default_factory=dict)
    left_out: int = 0
    _touching: dict[str, Device] = field(default_factory=dict)

    def contact(self, event: Event) -> None:
        """Devices touch the sites."""
        self._touching = {}
        for entry in event.fields.get("sites", ()):
            key = (str(event.fields.get("lot", "")), int(entry["device"]))
            device = self.devices.get(key)
            if device is None:
                if len(self.devices) >= MOST_DEVICES:
                    self.left_out += 1
                    continue
                device = self.devices[key] = Device(key[1], str(entry["part"]), "", 0, 0, 0)
            device.site, device.touchdown = str(entry["site"]), int(event.fields["touchdown"])
            device.seq, device.t_ns = event.seq, event.t_ns
            device.attempts += 1
            device.values, device.failed = {}, []
            if "x" in entry:
                device.place = (entry.get("wafer"), int(entry["x"]), int(entry["y"]))
            device.true = entry.get("true")
            self._touching[device.site] = device

    def result(self, event: Event, site: str, content: Mapping[str, Any] | None) -> None:
        """A program reports its device."""
        device = self._touching.get(site)
        if device is None:
            return
        for record in result_records(content):
            if record.get("type") == "PTR":
                self._value(device, record)
            elif record.get("type") == "PRR":
                soft = record.get("SOFT_BIN")
                device.soft_bin = soft if isinstance(soft, int) else None
        device.seq, device.t_ns = event.seq, event.t_ns

    def _value(self, device: Device, record: Mapping[str, Any]) -> None:
        number, value, flags = record.get("TEST_NUM"), record.get("RESULT"), record.get("TEST_FLG")
        if not isinstance(number, int) or not isinstance(flags, int):
            return
        if number not in self.tests:
            low, high = record.get("LO_LIMIT"), record.get("HI_LIMIT")
            self.tests[number] = Test(
                number, str(record.get("TEST_TXT") or number), str(record.get("UNITS") or ""), _real(low), _real(high)
            )
        if flags & FAILED:
            device.failed.append(number)
        if isinstance(value, int | float) and not flags & _NO_RESULT:
            device.values[number] = float(value)

    def sorted(self, event: Event) -> None:
        """The handler put a device into a bin."""
        key = (str(event.fields.get("lot", "")), int(event.fields["device"]))
        device = self.devices.get(key)
        if device is not None:
            device.hard_bin = int(event.fields["hard_bin"])
            soft = event.fields.get("soft_bin")
            device.soft_bin = soft if isinstance(soft, int) else device.soft_bin


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def packed(parts: Parts) -> dict[str, Any]:
    """Devices and values in columns; numbers with six digits, which is what STDF's R*4 holds."""
    devices = list(parts.devices.values())
    columns: dict[str, list[Any]] = {
        "number": [device.number for device in devices],
        "part": [device.part for device in devices],
        "site": [device.site for device in devices],
        "touchdown": [device.touchdown for device in devices],
        "seq": [device.seq for device in devices],
        "attempts": [device.attempts for device in devices],
        "hard": [device.hard_bin for device in devices],
        "soft": [device.soft_bin for device in devices],
    }
    if any(device.place for device in devices):
        columns["place"] = [device.place for device in devices]
    return {
        "columns": columns,
        "tests": [[t.number, t.name, t.units, t.low, t.high] for t in parts.tests.values()],
        "values": [[_short(device.values.get(number)) for device in devices] for number in parts.tests],
        "failed": [device.failed for device in devices],
        "true": _true_columns(devices),
        "left_out": parts.left_out,
    }


def _true_columns(devices: list[Device]) -> dict[str, list[float | None]]:
    names = list(dict.fromkeys(name for device in devices for name in device.true or ()))
    return {name: [_short((device.true or {}).get(name)) for device in devices] for name in names}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
