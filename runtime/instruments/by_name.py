"""Drivers by the short names that configurations use."""

from collections.abc import Mapping

from drycell.runtime.instruments.drivers import (
    ElectronicLoadDriver,
    MultimeterDriver,
    PowerSupplyDriver,
    ThermalChamberDriver,
)
from drycell.runtime.instruments.more_drivers import (
    DigitizerDriver,
    MagnetDriver,
    SourceMeasureDriver,
    SwitchMatrixDriver,
)
from drycell.runtime.instruments.scpi_driver import BaseDriver

DRIVERS: Mapping[str, type[BaseDriver]] = {
    "chamber": ThermalChamberDriver,
    "psu": PowerSupplyDriver,
    "dmm": MultimeterDriver,
    "load": ElectronicLoadDriver,
    "smu": SourceMeasureDriver,
    "digitizer": DigitizerDriver,
    "switch": SwitchMatrixDriver,
    "magnet": MagnetDriver,
}
"""By the name that each instrument has on the usual bench; anything else has :class:`BaseDriver`, lines of text."""
