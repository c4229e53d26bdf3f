"""Instruments that a YAML file describes: SCPI commands with values, bound to quantities of the bench.

A file::

    drycell-instrument: 1
    identity: {model: HP-1, serial: "42", manufacturer: Acme}
    properties:
      level: {command: "[SOURce]:VOLTage", unit: V, min: 0, max: 20, decimals: 3, drives: "volts:in"}
      output: {command: "OUTPut[:STATe]", type: boolean, drives: "on:in"}
    readings:
      - {command: "MEASure:VOLTage", reads: "node:out", decimals: 4}
    answers:
      - {command: "SYSTem:OPTions", answer: '"NONE"'}

``reads``: node:NAME (volts), amps:NAME (given by this instrument's own source at that node), air, case, junction,
power, field. ``drives``: volts:NAME, limit:NAME, on:NAME (a supply at the node), load:NAME (a constant current taken
from it), air (the chamber's set-point). Common commands, status and error queue come with it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup
from drycell.plugins_sim.instruments.files import refuse_unknown, section
from drycell.plugins_sim.instruments.scpi import (
    Boolean,
    Call,
    Choice,
    Command,
    Identity,
    Number,
    ScpiInstrument,
    Text,
)
from drycell.plugins_sim.instruments.scpi.errors import Failure
from drycell.plugins_sim.instruments.scpi.parameters import Parameter
from drycell.plugins_sim.instruments.scpi.response import boolean, number, quoted
from drycell.plugins_sim.physics.circuit import Element
from drycell.plugins_sim.physics.elements import Load, Supply
from drycell.sim.errors import DrycellError
from drycell.sim.suggest import did_you_mean

VERSION = 1
TYPES = ("number", "boolean", "choice", "text")
DRIVES = ("volts", "limit", "on", "load", "air")
READS = ("node", "amps", "air", "case", "junction", "power", "field")
_PROPERTY_KEYS = ("command", "type", "unit", "min", "max", "default", "decimals", "words", "drives")


class Described(BenchInstrument):
    """An instrument made from such a file; it has one channel, at site 0."""

    MODEL, SERIAL = "described", "0"

    def __init__(self, setup: Setup, data: Mapping[str, Any], path: Path) -> None:
        super().__init__(setup)
        self._where = str(path)
        if data.get("drycell-instrument") != VERSION:
            raise DrycellError(f"{path} must begin with drycell-instrument: {VERSION}.")
        known = ("drycell-instrument", "identity", "properties", "readings", "answers")
        refuse_unknown(data, known, self._where)
        self._supplies: dict[str, Supply] = {}
        self._loads: dict[str, Load] = {}
        self._values: dict[str, Any] = {}
        self._defaults: dict[str, tuple[Any, Callable[[Any, float], None] | None]] = {}
        rows: list[Command] = []
        for name, entry in section(data, "properties", self._where).items():
            rows.append(self._property(name, entry))
        rows += [self._reading(entry) for entry in self._list(data, "readings")]
        rows += [self._fixed(entry) for entry in self._list(data, "answers")]
        self.scpi = ScpiInstrument(
            self._identity(section(data, "identity", self._where)),
            rows,
            reset=self._reset,
            now_ns=setup.now_ns,
            latency_s=setup.latency_s,
            profile=setup.profile,
        )

    def board(self, site: int) -> Sequence[Element]:
        return (*self._supplies.values(), *self._loads.values()) if site == 0 else ()

    def _identity(self, data: Mapping[str, Any]) -> Identity:
        refuse_unknown(data, ("model", "serial", "manufacturer", "firmware"), f"{self._where}: identity")
        return Identity(**{"model": self.setup.name, "serial": "0", **{key: str(text) for key, text in data.items()}})

    def _list(self, data: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
        entries = data.get(key, ())
        if not isinstance(entries, Sequence) or not all(isinstance(entry, Mapping) for entry in entries):
            raise DrycellError(f"{self._where}: {key} must be a list of mappings.")
        return entries

    def _property(self, name: str, entry: Any) -> Command:
        where = f"{self._where}: property {name}"
        if not isinstance(entry, Mapping):
            raise DrycellError(f"{where} must be a mapping with at least the key command.")
        refuse_unknown(entry, _PROPERTY_KEYS, where)
        decimals = int(entry.get("decimals", 3))
        parameter, shown, first = _kind(entry, where, decimals)
        drive = self._drive(entry["drives"], where) if "drives" in entry else None
        self._values[name], self._defaults[name] = first, (first, drive)

        def run(call: Call) -> None:
            self._values[name] = call[0]
            if drive is not None:
                with self.world.change(0) as at_s:
                    drive(call[0], at_s)

        show = (lambda value: number(value, decimals)) if isinstance(parameter, Number) else None
        return Command(_command(entry, where), run, lambda call: shown(self._values[name]), (parameter,), show=show)

    def _drive(self, text: Any, where: str) -> Callable[[Any, float], None] | None:
        kind, _, node = str(text).partition(":")
        if kind not in DRIVES or (kind != "air" and not node):
            raise DrycellError(f"{where} drives {text!r}; {did_you_mean(kind, DRIVES)} (with :NODE unless air)")
        if kind == "air":
            return lambda value, at_s: self.world.set_chamber(float(value))
        if kind == "load":
            load = self._loads.setdefault(node, Load(node, on=True))
            return lambda value, at_s: setattr(load, "value", float(value))
        supply = self._supplies.setdefault(node, Supply(node))
        if kind == "on":
            return lambda value, at_s: setattr(supply, "on", bool(value))
        if kind == "limit":
            return lambda value, at_s: setattr(supply, "limit_amperes", float(value))
        return lambda value, at_s: supply.level.go(float(value), at_s)

    def _reading(self, entry: Mapping[str, Any]) -> Command:
        where = f"{self._where}: reading {entry.get('command')}"
        refuse_unknown(entry, ("command", "reads", "decimals"), where)
        kind, _, node = str(entry.get("reads", "")).partition(":")
        if kind not in READS:
            raise DrycellError(f"{where} reads {entry.get('reads')!r}; {did_you_mean(kind, READS)}")
        decimals = int(entry.get("decimals", 6))
        return Command(_command(entry, where), ask=lambda call: number(self._read(kind, node), decimals))

    def _read(self, kind: str, node: str) -> float:
        reading = self.world.read(0)
        if kind == "amps":
            return -reading.solution.current(self._supplies[node]) if node in self._supplies else 0.0
        plain = {
            "air": lambda: reading.air_c,
            "case": lambda: reading.case_c,
            "junction": lambda: reading.junction_c,
            "power": lambda: reading.power_w,
            "field": lambda: self.world.sites[0].flux.at(self.world.now_s),
            "node": lambda: reading.solution.voltage(node),
        }
        return plain[kind]()

    def _fixed(self, entry: Mapping[str, Any]) -> Command:
        where = f"{self._where}: answer {entry.get('command')}"
        refuse_unknown(entry, ("command", "answer"), where)
        text = str(entry.get("answer", ""))
        return Command(_command(entry, where), ask=lambda call: text)

    def _reset(self) -> None:
        with self.world.change(0) as at_s:
            for name, (first, drive) in self._defaults.items():
                self._values[name] = first
                if drive is not None:
                    drive(first, at_s)


def _command(entry: Mapping[str, Any], where: str) -> str:
    pattern = str(entry.get("command", ""))
    if not pattern or not all(c.isalpha() or c in "[]:#*" for c in pattern):
        raise DrycellError(f"{where} needs a command such as '[SOURce]:VOLTage[:LEVel]'.")
    return pattern


def _kind(entry: Mapping[str, Any], where: str, decimals: int) -> tuple[Parameter, Callable[[Any], str], Any]:
    """How a property is read and shown, and its first value."""
    kind, first = entry.get("type", "number"), entry.get("default")
    if kind not in TYPES:
        raise DrycellError(f"{where} has type {kind!r}; {did_you_mean(str(kind), TYPES)}")
    try:
        if kind == "boolean":
            return Boolean(), boolean, bool(first)
        if kind == "choice":
            words = tuple(str(word) for word in entry["words"])
            choice = Choice(words)
            return choice, str, choice.read(str(first) if first is not None else words[0])
        if kind == "text":
            return Text(), quoted, str(first or "")
        low, high = float(entry.get("min", float("-inf"))), float(entry.get("max", float("inf")))
        value = float(first if first is not None else max(low, min(0.0, high)))
        return Number(str(entry.get("unit", "")), low, high, value), lambda v: number(v, decimals), value
    except (KeyError, TypeError, ValueError, IndexError, Failure) as error:
        raise DrycellError(f"{where} cannot be read ({type(error).__name__}: {error}).") from None
