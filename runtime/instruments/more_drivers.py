"""Drivers of the source-measure unit, the digitizer, the switch matrix and the magnet."""

import re
import struct
from collections.abc import Sequence

from drycell.runtime.instruments.drivers import asked, finite, listed
from drycell.runtime.instruments.errors import InstrumentError
from drycell.runtime.instruments.interfaces import IDigitizer, IMagnet, ISourceMeasure, ISwitchMatrix
from drycell.runtime.instruments.scpi_driver import BaseDriver


class SourceMeasureDriver(BaseDriver, ISourceMeasure):
    """Levels are sent with nine significant digits."""

    def source_voltage(self, channel: int, voltage: float, current_limit: float) -> None:
        self._source("VOLT", "CURR", channel, voltage, current_limit)

    def source_current(self, channel: int, current: float, voltage_limit: float) -> None:
        self._source("CURR", "VOLT", channel, current, voltage_limit)

    def _source(self, kind: str, other: str, channel: int, level: float, limit: float) -> None:
        where = listed(channel)
        if not finite("limit", limit) > 0.0:
            raise ValueError(f"a limit of {limit:g} is impossible; use more than 0")
        self.write(f"SENS:{other}:PROT {limit:.9g}{where}")
        self.write(f"SOUR:FUNC {kind}{where}")
        self.write(f"SOUR:{kind} {finite('level', level):.9g}{where}")

    def enable_output(self, channel: int, enable: bool) -> None:
        self.write(f"OUTP {'ON' if enable else 'OFF'}{listed(channel)}")

    def measure_voltage(self, channel: int) -> float:
        return self.query_float(f"MEAS:VOLT?{asked(channel)}")

    def measure_current(self, channel: int) -> float:
        return self.query_float(f"MEAS:CURR?{asked(channel)}")

    def is_limited(self, channel: int) -> bool:
        where = asked(channel)
        return self.query_bool(f"SENS:CURR:PROT:TRIP?{where}") or self.query_bool(f"SENS:VOLT:PROT:TRIP?{where}")


class DigitizerDriver(BaseDriver, IDigitizer):
    """Data comes as a block of 16-bit numbers."""

    def acquire(self, points: int, rate_hz: float, channel: int = 1, timeout: float = 10.0) -> list[float]:
        if points < 1 or not finite("rate", rate_hz) > 0.0 or channel < 1:
            raise ValueError("points and channel start at 1, the rate is above 0")
        self.write(f"ACQ:POIN {points}")
        self.write(f"ACQ:SRAT {rate_hz:.9g}")
        self.write(f"WAV:SOUR CHAN{channel}")
        self.write("WAV:FORM WORD")
        self.write("INIT")
        self.transport.query("*OPC?", timeout)
        fields = self.query("WAV:PRE?").split(",")
        data = self.transport.query_block("WAV:DATA?", timeout)
        if len(fields) < 4 or len(data) != 2 * points:
            raise InstrumentError(f"{points} points were asked for, {len(data) // 2} came")
        scale = float(fields[3])
        return [code * scale for code in struct.unpack(f">{points}h", data)]


class SwitchMatrixDriver(BaseDriver, ISwitchMatrix):
    """Relays are (row, column), both from 1."""

    def close(self, crosspoints: Sequence[tuple[int, int]]) -> None:
        self._move("CLOS", crosspoints)

    def open(self, crosspoints: Sequence[tuple[int, int]]) -> None:
        self._move("OPEN", crosspoints)

    def open_all(self) -> None:
        self.write("ROUT:OPEN:ALL")
        self.operation_complete()

    def closed(self) -> list[tuple[int, int]]:
        return [divmod(int(number), 100) for number in re.findall(r"\d+", self.query("ROUT:CLOS:STAT?"))]

    def _move(self, word: str, crosspoints: Sequence[tuple[int, int]]) -> None:
        if not crosspoints or any(not (1 <= row <= 99 and 1 <= column <= 99) for row, column in crosspoints):
            raise ValueError("name at least one relay as (row, column), both from 1 to 99")
        self.write(f"ROUT:{word} (@{','.join(f'{row}!{column}' for row, column in crosspoints)})")
        self.operation_complete()


class MagnetDriver(BaseDriver, IMagnet):
    """A magnet whose field ramps."""

    def set_field(self, tesla: float) -> None:
        self.write(f"FIEL {finite('field', tesla):.6f}")

    def get_field(self) -> float:
        return self.query_float("FIEL:ACT?")

    def enable_output(self, enable: bool) -> None:
        self.write(f"OUTP {'ON' if enable else 'OFF'}")

    def is_stable(self) -> bool:
        return self.query_bool("FIEL:STAB?")
