"""Instruments as a test program sees them: interfaces, drivers that speak SCPI, transports, a factory.

Works on a real bench: nothing of the simulation is imported here. PyVISA is an optional extra.
"""

from drycell.runtime.instruments.drivers import (
    ElectronicLoadDriver,
    MultimeterDriver,
    PowerSupplyDriver,
    ThermalChamberDriver,
)
from drycell.runtime.instruments.errors import InstrumentError, NotConnectedError
from drycell.runtime.instruments.factory import InstrumentConfig, InstrumentFactory, InstrumentSet
from drycell.runtime.instruments.interfaces import (
    IDigitizer,
    IElectronicLoad,
    IMagnet,
    IMultimeter,
    IPowerSupply,
    ISourceMeasure,
    ISwitchMatrix,
    IThermalChamber,
)
from drycell.runtime.instruments.more_drivers import (
    DigitizerDriver,
    MagnetDriver,
    SourceMeasureDriver,
    SwitchMatrixDriver,
)
from drycell.runtime.instruments.scpi_driver import BaseDriver
from drycell.runtime.instruments.transports import TCPTransport, Transport
from drycell.runtime.instruments.visa import VisaTransport

__all__ = [
    "BaseDriver",
    "DigitizerDriver",
    "ElectronicLoadDriver",
    "IDigitizer",
    "IElectronicLoad",
    "IMagnet",
    "IMultimeter",
    "IPowerSupply",
    "ISourceMeasure",
    "ISwitchMatrix",
    "IThermalChamber",
    "InstrumentConfig",
    "InstrumentError",
    "InstrumentFactory",
    "InstrumentSet",
    "MagnetDriver",
    "MultimeterDriver",
    "NotConnectedError",
    "PowerSupplyDriver",
    "SourceMeasureDriver",
    "SwitchMatrixDriver",
    "TCPTransport",
    "ThermalChamberDriver",
    "Transport",
    "VisaTransport",
]
