"""Switch matrix SW-SIM-001: relays between rows (instruments) and columns (nodes of the board).

A channel is 100 row + column, ``(@102)`` or ``(@1!2)``: row 1, column 2. The same relays act on every site at once,
as relays on a load board that share a control line do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Call, Channels, Command
from drycell.plugins_sim.physics.circuit import Element
from drycell.plugins_sim.physics.elements import Resistor
from drycell.sim.errors import DrycellError

MOST = 99


@dataclass(frozen=True, slots=True)
class SwitchOptions:
    """``rows``, ``columns``: names of nodes; ``settle_s``: until *OPC? answers after a relay moved."""

    rows: tuple[str, ...] = ("smu",)
    columns: tuple[str, ...] = ("in", "out", "gnd")
    contact_ohm: float = 0.05
    settle_s: float = 0.005


class SwitchMatrix(BenchInstrument):
    """All relays are open after power on and *RST."""

    MODEL, SERIAL = "SW-SIM-001", "SWSIM001"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(SwitchOptions, setup.options, setup.name)
        if not (0 < len(o.rows) <= MOST and 0 < len(o.columns) <= MOST and o.contact_ohm > 0 and o.settle_s >= 0):
            raise DrycellError(
                f"{setup.name} needs 1 to {MOST} rows and columns, contact_ohm above 0 and settle_s of 0 or more."
            )
        channels = [100 * r + c for r in range(1, len(o.rows) + 1) for c in range(1, len(o.columns) + 1)]
        self._relays = [
            {n: Resistor(o.rows[n // 100 - 1], o.columns[n % 100 - 1], None) for n in channels}
            for _ in range(setup.sites)
        ]
        listed = Channels(len(o.rows), columns=len(o.columns))
        self.scpi = self.scpi_face(
            (
                Command(
                    "ROUTe:CLOSe",
                    lambda call: self._move(call[0], o.contact_ohm),
                    lambda call: ",".join("1" if self._closed(n) else "0" for n in call[0]),
                    (listed,),
                    (listed,),
                ),
                Command(
                    "ROUTe:OPEN",
                    lambda call: self._move(call[0], None),
                    lambda call: ",".join("0" if self._closed(n) else "1" for n in call[0]),
                    (listed,),
                    (listed,),
                ),
                Command("ROUTe:OPEN:ALL", lambda call: self._move(channels, None)),
                Command("ROUTe:CLOSe:STATe", ask=self._state),
                Command("ROUTe:CLOSe:EXCLusive", self._exclusive, takes=(listed,)),
            ),
            lambda: self._move(channels, None),
        )
        self._channels = channels

    def board(self, site: int) -> Sequence[Element]:
        return tuple(self._relays[site].values())

    def _closed(self, channel: int) -> bool:
        return self._relays[0][channel].ohm is not None

    def _move(self, channels: Sequence[int], ohm: float | None) -> None:
        if all(self._relays[0][n].ohm == ohm for n in channels):
            return
        with self.world.change():
            for relays in self._relays:
                for channel in channels:
                    relays[channel].ohm = ohm
        self.scpi.busy_for(self._options.settle_s)

    def _exclusive(self, call: Call) -> None:
        self._move([n for n in self._channels if n not in call[0]], None)
        self._move(call[0], self._options.contact_ohm)

    def _state(self, call: Call) -> str:
        return f"(@{','.join(str(n) for n in self._channels if self._closed(n))})"
