"""What comes with drycell, offered to the "drycell" hooks (entry point ``builtin``).

What is slow to import is imported when somebody asks for it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from drycell.plugins_sim.devices.ldo import DEFECTS, LdoPopulation
from drycell.plugins_sim.devices.recorded import RecordedInstrument, recorded_lot
from drycell.plugins_sim.instruments import meter
from drycell.sim.hooks import (
    BenchRequest,
    DeviceAt,
    Instrument,
    Population,
    PopulationRequest,
    ServedBench,
    Tester,
    hookimpl,
)

if TYPE_CHECKING:
    from drycell.sim.faults import Fault
    from drycell.sim.replay.recording import Reader


class Meter:
    """The bench meter at the simulated test head."""

    def __init__(self, device_at: DeviceAt) -> None:
        self._device_at = device_at

    def answer(self, line: str) -> str:
        """The reply to one line."""
        return meter.answer(line, self._device_at)  # type: ignore[arg-type]  # a device model that suits the meter


def _ldo(request: PopulationRequest) -> Population:
    share = request.defects / sum(DEFECTS.values())
    defects = {kind: usual * share for kind, usual in DEFECTS.items()}
    return LdoPopulation(request.seed, request.lot, 0, request.size, request.spread, defects)


@hookimpl
def drycell_device_models() -> Mapping[str, Callable[[PopulationRequest], Population]]:
    """``ldo``: a 3.3 V voltage regulator; ``recorded``: the devices of a lot that was recorded."""
    return {"ldo": _ldo, "recorded": recorded_lot}


@hookimpl
def drycell_instruments() -> Mapping[str, Callable[[DeviceAt], Instrument]]:
    """``meter``: resistance, output voltage, quiescent current and ramps by lines of text; ``recorded``: what was
    answered for the same device then."""
    return {"meter": Meter, "recorded": RecordedInstrument}


def _bench(request: BenchRequest) -> ServedBench:
    from drycell.plugins_sim.instruments.bench import load_bench, make_bench

    told = {"profile": request.profile, "sites": request.sites, "seed": request.seed}
    overrides = {key: value for key, value in told.items() if value is not None}
    if request.file is not None:
        return load_bench(request.file, request.now_ns, overrides)
    return make_bench(overrides, request.now_ns)


@hookimpl
def drycell_benches() -> Mapping[str, Callable[[BenchRequest], ServedBench]]:
    """``bench``: chamber, supply, multimeter, load, source-measure unit, digitizer, switch and magnet."""
    return {"bench": _bench}


@hookimpl
def drycell_testers() -> Mapping[str, Callable[[int], Tester]]:
    """``single``, ``parallel`` (released in stages) and ``parallel simple`` (released at once)."""
    from drycell.plugins_sim.testers.lines import MODELS as TESTERS

    return TESTERS


@hookimpl
def drycell_faults() -> "Mapping[str, type[Fault]]":
    """The palette: process, link, payload, instrument, file and floor."""
    from drycell.sim.faults import PALETTE

    return PALETTE


@hookimpl
def drycell_importers() -> "Mapping[str, Reader]":
    """Recordings: our own, of MQTT tools, of networks, STDF files and logs."""
    from drycell.plugins_sim.importers import READERS

    return READERS
