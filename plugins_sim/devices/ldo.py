"""A population of linear voltage regulators (LDO), 3.3 V, with spread and a few percent of defects.

Rules that hold here:
- A device is a pure function of (seed, lot, wafer, number, spread, defects). Every parameter has its own stream, so a
  new parameter moves no other, and the first devices of a lot do not depend on how many there are.
- A reading is a pure function of (device, site, conditions). The site adds a small fixed offset of its socket.
- Only additions, multiplications and Philox draws: the same bits on every machine and every numpy since 1.26.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import accumulate
from types import MappingProxyType

import numpy as np

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.streams import stream

NOMINAL_VIN_VOLTS = 5.0
NOMINAL_TEMPERATURE_C = 25.0
IQ_SLOPE_MICROAMP_PER_VOLT = 1.5

# parameter: (mean, one standard deviation). The spread of a scenario replaces the latter by a fraction of the mean.
PARAMETERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "vout": (3.3, 0.012),  # volts at 5 V input and 25 degC
        "iq": (55.0, 4.0),  # microampere at 5 V input
        "dropout": (0.18, 0.015),  # volts between input and output at the test load
        "line_reg": (0.001, 0.0003),  # volts of output per volt of input
        "tempco": (20.0, 30.0),  # parts per million of vout per kelvin
        "r_vin": (0.5, 0.06),  # ohm of pin and contact
        "r_vout": (0.5, 0.06),
        "leak": (2e-9, 2e-10),  # ampere into the output at 3.3 V from outside and 25 degC, the input off
    }
)

# defect: share of all devices.
DEFECTS: Mapping[str, float] = MappingProxyType(
    {"open_vin": 0.01, "open_vout": 0.01, "low_vout": 0.02, "high_iq": 0.02, "dropout": 0.02, "line_reg": 0.01}
)

# How a defect moves a parameter: parameter, least shift, further shift at full severity.
_SHIFTS: Mapping[str, tuple[str, float, float]] = MappingProxyType(
    {
        "low_vout": ("vout", -0.1, -0.4),
        "high_iq": ("iq", 40.0, 120.0),
        "dropout": ("dropout", 0.4, 0.6),
        "line_reg": ("line_reg", 0.014, 0.016),
    }
)
_SITE_SIGMAS = {"volts": 0.0005, "microamp": 0.2, "ohm": 0.02}


@dataclass(frozen=True, slots=True)
class SiteOffsets:
    """What the socket of one site adds to every reading."""

    volts: float
    microamp: float
    ohm: float


@dataclass(frozen=True, slots=True)
class Ldo:
    """One regulator. ``parameters``: its true values, units as in PARAMETERS. ``defect``: None for a good one."""

    number: int
    parameters: Mapping[str, float]
    defect: str | None
    population: "LdoPopulation"

    def contact_ohm(self, pin: str, site: int) -> float | None:
        """Resistance of pin VIN or VOUT with its contact; None when open. Raises KeyError for another pin."""
        resistance = self.parameters[{"VIN": "r_vin", "VOUT": "r_vout"}[pin]]
        return None if self.defect == f"open_{pin.lower()}" else resistance + self.population.site(site).ohm

    def vout_volts(self, vin_volts: float, site: int, temperature_c: float = NOMINAL_TEMPERATURE_C) -> float:
        """Output voltage at the test load: regulated, or the input less the dropout, whichever is lower."""
        if self.defect in ("open_vin", "open_vout"):
            return 0.0
        p = self.parameters
        drift = 1.0 + p["tempco"] * 1e-6 * (temperature_c - NOMINAL_TEMPERATURE_C)
        regulated = p["vout"] * drift + p["line_reg"] * (vin_volts - NOMINAL_VIN_VOLTS)
        return max(0.0, min(regulated, vin_volts - p["dropout"])) + self.population.site(site).volts

    def iq_microamp(self, vin_volts: float, site: int) -> float:
        """Quiescent current in microampere, output unloaded."""
        if self.defect == "open_vin" or vin_volts <= 0.0:
            return 0.0
        current = self.parameters["iq"] + IQ_SLOPE_MICROAMP_PER_VOLT * (vin_volts - NOMINAL_VIN_VOLTS)
        return max(0.0, current + self.population.site(site).microamp)


class LdoPopulation:
    """``count`` regulators of one wafer (0 for packaged parts) of one lot.

    ``spread`` maps a parameter to its relative standard deviation ({"vout": 0.01} is 1 %); ``defects`` maps a kind of
    defect to its share of all devices and replaces DEFECTS as a whole. Raises DrycellError for unknown names and
    impossible numbers.
    """

    def __init__(
        self,
        seed: int,
        lot: str,
        wafer: int,
        count: int,
        spread: Mapping[str, float] | None = None,
        defects: Mapping[str, float] | None = None,
    ) -> None:
        self._labels = (seed, "ldo")
        self._sites: dict[int, SiteOffsets] = {}
        shares = DEFECTS if defects is None else defects
        _check("spread", spread or {}, PARAMETERS, limit=10.0)
        _check("defects", shares, DEFECTS, limit=1.0)
        if sum(shares.values()) > 1.0:
            raise DrycellError(f"the shares of all defects sum to {sum(shares.values()):g}; at most 1 is possible.")
        if count < 0:
            raise DrycellError(f"a population of {count} devices is impossible; count must be 0 or more.")
        self._kinds = _kinds(stream(seed, "ldo", lot, wafer, "defect").random(count).tolist(), shares)
        severity = stream(seed, "ldo", lot, wafer, "severity").random(count).tolist()
        self._values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
        for name, (mean, sigma) in PARAMETERS.items():
            sigma = abs(mean) * spread[name] if spread and name in spread else sigma
            draws = stream(seed, "ldo", lot, wafer, name).standard_normal(count)
            self._values[name] = mean + sigma * draws
        for row, kind in enumerate(self._kinds):
            if kind is not None and kind in _SHIFTS:
                moved, least, more = _SHIFTS[kind]
                self._values[moved][row] += least + more * severity[row]

    def __len__(self) -> int:
        return len(self._kinds)

    def device(self, number: int) -> Ldo:
        """The device with that number, counted from 1. Raises IndexError outside the population."""
        if not 1 <= number <= len(self):
            raise IndexError(f"device {number} of a population of {len(self)}")
        row = number - 1
        values = {name: array.item(row) for name, array in self._values.items()}
        return Ldo(number, values, self._kinds[row], self)

    def site(self, site: int) -> SiteOffsets:
        """The fixed offsets of a site's socket: the same for every lot under one seed."""
        if site not in self._sites:
            seed, label = self._labels
            draws = stream(seed, label, "site", site).standard_normal(len(_SITE_SIGMAS))
            offsets = {
                name: sigma * float(draw) for (name, sigma), draw in zip(_SITE_SIGMAS.items(), draws, strict=True)
            }
            self._sites[site] = SiteOffsets(**offsets)
        return self._sites[site]


def _kinds(draws: list[float], shares: Mapping[str, float]) -> list[str | None]:
    names: list[str | None] = [*shares, None]
    edges = [*accumulate(shares.values())]
    return [names[bisect_right(edges, draw)] for draw in draws]


def _check(what: str, given: Mapping[str, float], known: Mapping[str, object], limit: float) -> None:
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}."
            raise DrycellError(f"{what} names {name}, which the ldo model does not have{hint}")
        if not 0.0 <= value <= limit:
            raise DrycellError(f"{what} of {name} is {value:g}; it must be from 0 to {limit:g}.")
