"""Digitizer DG-SIM-001: samples voltages of nodes over time and hands them out as a block.

Rules that hold here:
- Sample k of an acquisition is taken k / rate seconds after its start. What other instruments do meanwhile is seen.
- Between changes voltages are smooth: they are solved at some instants (densely after a change, where sources settle)
  and interpolated linearly; then come noise, range and quantisation.
- Data may be fetched when the acquisition is over; before, it is error -230.
"""

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Call, Choice, Command, Failure, Number, block
from drycell.plugins_sim.instruments.scpi.response import number, quoted, scientific
from drycell.plugins_sim.physics.world import World
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.streams import stream

NS_PER_S = 1_000_000_000
MEASURING_BIT = 16  # OPERation status
POINTS_LIMIT = 1_000_000
BITS = 16
KNOTS = 48
_AFTER_CHANGE_S = tuple(1e-7 * 1.6**k for k in range(36))

Array = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class DigitizerOptions:
    """``noise_volts``: standard deviation of a sample."""

    max_rate_hz: float = 1e8
    range_volts: float = 10.0
    noise_volts: float = 0.0


@dataclass(slots=True)
class _Acquisition:
    """Samples under way: ``done`` of ``points`` per channel, on every channel's node."""

    start_ns: int
    rate_hz: float
    points: int
    site: int
    samples: dict[str, Array]
    done: int = 0

    @property
    def end_ns(self) -> int:
        return self.start_ns + math.ceil((self.points - 1) / self.rate_hz * NS_PER_S)


class Digitizer(BenchInstrument):
    """Channels 1 and 2 hang on nodes ``out`` and ``in`` unless the bench says otherwise."""

    MODEL, SERIAL = "DG-SIM-001", "DGSIM001"
    TERMINALS = MappingProxyType({"ch1": "out", "ch2": "in"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(DigitizerOptions, setup.options, setup.name)
        if o.max_rate_hz <= 0.0 or o.range_volts <= 0.0 or o.noise_volts < 0.0:
            raise DrycellError(f"max_rate_hz and range_volts of {setup.name} must be above 0, noise_volts not below.")
        self._noise = stream(setup.seed, "instrument", setup.name, "noise")
        self._running: _Acquisition | None = None
        self._defaults()
        self.scpi = self.scpi_face(self._commands(), self._reset, conditions=self._conditions, trigger=self._initiate)

    def _defaults(self) -> None:
        self._rate_hz = min(1e6, self._options.max_rate_hz)
        self._points, self._source, self._format = 1000, 1, "WORD"
        self._ranges = {"ch1": self._options.range_volts, "ch2": self._options.range_volts}

    def join(self, world: World) -> None:
        super().join(world)
        world.watchers.append(self._record)

    def _commands(self) -> tuple[Command, ...]:
        o = self._options
        rate = Number("HZ", 1e-3, o.max_rate_hz, 1e6)
        points = Number(low=1, high=POINTS_LIMIT, default=1000, whole=True)
        span = Number("V", 0.01, 1000.0, o.range_volts)
        return (
            *self.selection(),
            Command("ACQuire:SRATe", self._set("_rate_hz"), lambda call: scientific(self._rate_hz), (rate,),
                    show=scientific),
            Command("ACQuire:POINts", self._set("_points", int), lambda call: str(self._points), (points,),
                    show=lambda value: str(int(value))),
            Command("CHANnel#:RANGe", self._set_range, lambda call: number(self._ranges[self._channel(call)], 3),
                    (span,)),
            Command("INITiate[:IMMediate]", lambda call: self._initiate()),
            Command("ABORt", lambda call: self._abort()),
            Command("WAVeform:SOURce", self._set_source, lambda call: f"CHAN{self._source}",
                    (Choice(("CHANnel1", "CHANnel2")),)),
            Command("WAVeform:FORMat", self._set("_format"), lambda call: self._format,
                    (Choice(("BYTE", "WORD", "REAL", "ASCii")),)),
            Command("WAVeform:POINts", ask=lambda call: str(self._finished().points)),
            Command("WAVeform:PREamble", ask=self._preamble),
            Command("WAVeform:DATA", ask=self._data),
            Command("MEASure[:SCALar]:VOLTage:AVERage", ask=lambda call: number(float(self._volts().mean()), 6)),
            Command("MEASure[:SCALar]:VOLTage:PTPeak", ask=lambda call: number(float(np.ptp(self._volts())), 6)),
            Command("DIGital:DATA", ask=self._code),
        )  # fmt: skip

    # settings ------------------------------------------------------------------------------------------------------

    def _set(self, name: str, kind: type = object):  # type: ignore[no-untyped-def]
        def run(call: Call) -> None:
            setattr(self, name, int(call[0]) if kind is int else call[0])

        return run

    def _channel(self, call: Call) -> str:
        if call.suffixes[0] not in (1, 2):
            raise Failure(-114, f"there is no channel {call.suffixes[0]}; use 1 or 2")
        return f"ch{call.suffixes[0]}"

    def _set_range(self, call: Call) -> None:
        self._ranges[self._channel(call)] = call[0]

    def _set_source(self, call: Call) -> None:
        self._source = int(call[0][-1])

    # acquisition ---------------------------------------------------------------------------------------------------

    def _initiate(self) -> None:
        if self._running is not None and self.world.now_ns < self._running.end_ns:
            raise Failure(-211, "an acquisition is under way; send ABORt first")
        empty = {name: np.empty(self._points, np.float64) for name in ("ch1", "ch2")}
        self._running = _Acquisition(self.world.now_ns, self._rate_hz, self._points, self._selected, empty)
        self.scpi.busy_for((self._running.end_ns - self.world.now_ns) / NS_PER_S)

    def _abort(self) -> None:
        self._running = None

    def _record(self, until_ns: int) -> None:
        """Fill in the samples up to ``until_ns``; called before any change of the world, and before reading."""
        a = self._running
        if a is None or a.done >= a.points:
            return
        reach = min(a.points, math.floor((until_ns - a.start_ns) / NS_PER_S * a.rate_hz) + 1)
        if reach <= a.done:
            return
        times_s = np.arange(a.done, reach, dtype=np.float64) / a.rate_hz
        first_ns = a.start_ns + round(float(times_s[0]) * NS_PER_S)
        last_ns = min(until_ns, a.start_ns + round(float(times_s[-1]) * NS_PER_S))
        knots_ns = sorted(
            {round(first_ns + (last_ns - first_ns) * k / KNOTS) for k in range(KNOTS + 1)}
            | {t for s in _AFTER_CHANGE_S if (t := first_ns + round(s * NS_PER_S)) < last_ns}
        )
        readings = [self.world.read(a.site, at_ns).solution for at_ns in knots_ns]
        knots_s = (np.array(knots_ns, dtype=np.float64) - a.start_ns) / NS_PER_S
        for name, samples in a.samples.items():
            volts = np.array([solution.voltage(self._nodes[name]) for solution in readings], dtype=np.float64)
            samples[a.done : reach] = np.interp(times_s, knots_s, volts)
        a.done = reach

    def _finished(self) -> _Acquisition:
        if self._running is None:
            raise Failure(-230, "there is no acquisition; send INIT first")
        if self.world.now_ns < self._running.end_ns:
            raise Failure(-230, "the acquisition is not over; wait for *OPC?")
        self._record(self.world.now_ns)
        return self._running

    # data ----------------------------------------------------------------------------------------------------------

    @property
    def _step_volts(self) -> float:
        return 2.0 * self._ranges[f"ch{self._source}"] / (1 << (8 if self._format == "BYTE" else BITS))

    def _codes(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        true = self._finished().samples[f"ch{self._source}"]
        if self._options.noise_volts > 0.0:
            true = true + self._options.noise_volts * self._noise.standard_normal(len(true))
        half = 1 << ((8 if self._format == "BYTE" else BITS) - 1)
        return np.clip(np.rint(true / self._step_volts), -half, half - 1).astype(np.int64)

    def _volts(self) -> Array:
        return (self._codes() * self._step_volts).astype(np.float64)

    def _data(self, call: Call) -> str | bytes:
        if self._format == "ASC":
            return ",".join(scientific(float(volt), 6) for volt in self._volts())
        if self._format == "REAL":
            return block(self._volts().astype(">f4").tobytes())
        return block(self._codes().astype(">i2" if self._format == "WORD" else "i1").tobytes())

    def _preamble(self, call: Call) -> str:
        """Format, points, seconds per point, volts per code, unit."""
        a = self._finished()
        return ",".join(
            (self._format, str(a.points), scientific(1.0 / a.rate_hz), scientific(self._step_volts), quoted("V"))
        )

    def _code(self, call: Call) -> str:
        site = self.world.sites[self._selected]
        code = site.device.code(self.world.read(self._selected).solution)
        if code is None:
            raise Failure(-241, "the device has no digital output")
        return str(code)

    def _conditions(self) -> tuple[int, int]:
        a = self._running
        return (MEASURING_BIT if a is not None and self.world.now_ns < a.end_ns else 0), 0

    def _reset(self) -> None:
        self._defaults()
        self._running = None
        self._selected = 0
