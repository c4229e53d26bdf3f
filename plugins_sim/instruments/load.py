"""Electronic load EL-SIM-001: constant current, resistance or voltage, one channel per site."""

from dataclasses import dataclass
from types import MappingProxyType

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Boolean, Call, Choice, Command, Number, boolean
from drycell.plugins_sim.instruments.scpi.response import number
from drycell.plugins_sim.physics.elements import Load
from drycell.sim.errors import DrycellError

UNREGULATED_BIT = 2  # QUEStionable status, CURRent: the current set cannot flow
_KINDS = {"CURR": "cc", "RES": "cr", "VOLT": "cv"}


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """``least_ohm``: the load's resistance when fully on."""

    max_amperes: float = 40.0
    max_volts: float = 150.0
    max_ohm: float = 1e6
    least_ohm: float = 0.01


class ElectronicLoad(BenchInstrument):
    """It takes current and gives none."""

    MODEL, SERIAL = "EL-SIM-001", "ELSIM001"
    TERMINALS = MappingProxyType({"in": "out"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(LoadOptions, setup.options, setup.name)
        if not (0.0 < o.least_ohm < o.max_ohm and o.max_amperes > 0.0 and o.max_volts > 0.0):
            raise DrycellError(f"the limits of {setup.name} must be above 0, least_ohm below max_ohm.")
        self._inputs = [Load(self._nodes["in"], least_ohm=o.least_ohm) for _ in range(setup.sites)]
        for load in self._inputs:
            load.limit_amperes = o.max_amperes
        self._levels = [self._defaults() for _ in range(setup.sites)]
        self.scpi = self.scpi_face(self._commands(), self._reset, conditions=self._conditions)

    def _defaults(self) -> dict[str, float]:
        return {"CURR": 0.0, "RES": self._options.max_ohm, "VOLT": self._options.max_volts}

    def board(self, site: int) -> tuple[Load]:
        return (self._inputs[site],)

    def _commands(self) -> tuple[Command, ...]:
        o, inputs, channels = self._options, self._inputs, self.channel_list()
        mode = (Choice(("CURRent", "RESistance", "VOLTage")), channels)
        words = {kind: word for word, kind in _KINDS.items()}
        function = self.per_site(lambda site: words[inputs[site].kind])
        state = self.per_site(lambda site: boolean(inputs[site].on))
        return (
            *self.selection(),
            self._level("CURR", "CURRent", Number("A", 0.0, o.max_amperes)),
            self._level("RES", "RESistance", Number("OHM", o.least_ohm, o.max_ohm, o.max_ohm)),
            self._level("VOLT", "VOLTage", Number("V", 0.0, o.max_volts, o.max_volts)),
            Command("[SOURce]:FUNCtion[:MODE]", self._set_kind, function, mode, (channels,)),
            Command("MODE", self._set_kind, function, mode, (channels,)),
            Command("INPut[:STATe]", self._switch, state, (Boolean(), channels), (channels,)),
            Command("OUTPut[:STATe]", self._switch, state, (Boolean(), channels), (channels,)),
            self.measuring("MEASure[:SCALar]:VOLTage[:DC]", lambda site: number(self.volts(site), 3)),
            self.measuring("MEASure[:SCALar]:CURRent[:DC]", lambda site: number(self.amperes(site), 3)),
            self.measuring(
                "MEASure[:SCALar]:POWer[:DC]", lambda site: number(self.volts(site) * self.amperes(site), 3)
            ),
        )

    def _level(self, word: str, name: str, parameter: Number) -> Command:
        def put(site: int, value: float, at_s: float) -> None:
            self._levels[site][word] = value
            self._apply(site)

        pattern = f"[SOURce]:{name}[:LEVel][:IMMediate][:AMPLitude]"
        return self.setting(pattern, parameter, lambda site: self._levels[site][word], put)

    def volts(self, site: int) -> float:
        """Voltage at the terminals."""
        return self.world.read(site).solution.voltage(self._inputs[site].plus)

    def amperes(self, site: int) -> float:
        """Current taken."""
        return self.world.read(site).solution.current(self._inputs[site])

    def _apply(self, site: int) -> None:
        load = self._inputs[site]
        load.value = next(self._levels[site][word] for word, kind in _KINDS.items() if kind == load.kind)

    def _set_kind(self, call: Call) -> None:
        sites = self.targets(call, 1)
        with self.world.change(*sites):
            for site in sites:
                self._inputs[site].kind = _KINDS[call[0]]
                self._apply(site)

    def _switch(self, call: Call) -> None:
        sites = self.targets(call, 1)
        with self.world.change(*sites):
            for site in sites:
                self._inputs[site].on = call[0]

    def _conditions(self) -> tuple[int, int]:
        low = any(
            load.on and load.value > 0.0 and self.world.read(site).solution.mode(load) != "set"
            for site, load in enumerate(self._inputs)
        )
        return 0, UNREGULATED_BIT if low else 0

    def _reset(self) -> None:
        with self.world.change():
            for site, load in enumerate(self._inputs):
                load.on, load.kind, self._levels[site] = False, "cc", self._defaults()
                self._apply(site)
        self._selected = 0
