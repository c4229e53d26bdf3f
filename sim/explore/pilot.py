"""Draws, flies and covers one run after the other; lives in a worker process or in this one.

Tasks and what comes of them are plain values, so that they can be sent as JSON.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.errors import DrycellError
from drycell.sim.explore.coverage import Feature, answers, features, reachable
from drycell.sim.explore.drawing import Drawer
from drycell.sim.explore.flight import Flight, Violation, fly
from drycell.sim.explore.steps import kinds
from drycell.sim.explore.strategies import scenarios
from drycell.sim.oracles import ORACLES
from drycell.sim.scenario import Scenario, canonical, from_text, with_overrides


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched: scenarios around ``base``, restricted as :func:`~drycell.sim.explore.scenarios` is."""

    base: Scenario
    sites: int | tuple[int, ...] | None = None
    devices: int | None = None
    faults: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()

    def strategy(self) -> st.SearchStrategy[Scenario]:
        """The strategy of these scenarios. Raises DrycellError for what cannot be drawn."""
        return scenarios(self.base, sites=self.sites, devices=self.devices, faults=self.faults, without=self.without)

    def reachable(self) -> frozenset[Feature]:
        """All features that a run could have."""
        offered = kinds(self.base.cell.dialect) if self.faults is None else self.faults
        chosen = [kind for kind in offered if kind not in self.without]
        dialect = DIALECTS[self.base.cell.dialect]
        promised = [name for name, oracle in ORACLES.items() if dialect.name in oracle.dialects]
        return frozenset(reachable(dialect, chosen, promised))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        rest = {"sites": self.sites, "devices": self.devices, "faults": self.faults, "without": self.without}
        return {"base": canonical(self.base).decode(), "folder": str(self.base.folder.absolute()), **rest}


def plan_from(data: dict[str, Any]) -> Plan:
    """The plan that ``to_json`` described."""
    base = from_text(data["base"], as_json=True, folder=Path(data["folder"]))
    sites, faults = data["sites"], data["faults"]
    return Plan(
        base,
        tuple(sites) if isinstance(sites, list) else sites,
        data["devices"],
        None if faults is None else tuple(faults),
        tuple(data["without"]),
    )


@dataclass(frozen=True, slots=True)
class Landed:
    """What run ``number`` came to. ``dna``: what was needed of its genome; ``findings``: broken promises that are
    not the scenario's own doing; ``trouble``: why it could not be flown. ``scenario``: canonical, if it matters.
    ``remark``: what makes the search slower than it could be."""

    number: int
    dna: bytes = b""
    reached: tuple[Feature, ...] = ()
    findings: tuple[Violation, ...] = ()
    excused: int = 0
    virtual_s: float = 0.0
    trouble: str = ""
    scenario: str = ""
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "number": self.number,
            "dna": self.dna.hex(),
            "reached": [list(feature) for feature in self.reached],
            "findings": [[one.oracle, one.signature, one.text, list(one.evidence)] for one in self.findings],
            "excused": self.excused,
            "virtual_s": self.virtual_s,
            "trouble": self.trouble,
            "scenario": self.scenario,
            "remark": self.remark,
        }


def landed_from(data: dict[str, Any]) -> Landed:
    """What ``to_json`` described."""
    return Landed(
        number=data["number"],
        dna=bytes.fromhex(data["dna"]),
        reached=tuple(Feature(*feature) for feature in data["reached"]),
        findings=tuple(
            Violation(oracle, kind, text, tuple(evidence)) for oracle, kind, text, evidence in data["findings"]
        ),
        excused=data["excused"],
        virtual_s=data["virtual_s"],
        trouble=data["trouble"],
        scenario=data["scenario"],
        remark=data["remark"],
    )


class Pilot:
    """Flies what ``plan`` is about. ``strategy`` takes the place of the plan's own."""

    def __init__(self, plan: Plan, strategy: st.SearchStrategy[Scenario] | None = None) -> None:
        self.plan = plan
        self._drawer = Drawer(plan.strategy() if strategy is None else strategy)
        cell = plan.base.cell
        self._dialect, self._topics = DIALECTS[cell.dialect], Topics(cell.device_id, cell.handler.id)
        self._warm = WarmPrograms()

    def close(self) -> None:
        """End the processes that real programs are forked from."""
        self._warm.close()

    def land(self, number: int, dna: bytes) -> Landed:
        """Draw the scenario of ``dna`` and fly it as run ``number``."""
        made = self._drawer.scenario(dna)
        if made is None:
            return Landed(number)
        scenario, used = made
        try:
            flight = self.fly(scenario)
        except DrycellError as error:
            return Landed(number, used, trouble=str(error), scenario=canonical(scenario).decode())
        reached = features(flight.events, self._topics, self._dialect)
        if flight.result is not None:
            reached |= answers((answer.name, answer.verdict) for answer in flight.result.oracles)
        findings = flight.findings
        return Landed(
            number,
            used,
            tuple(sorted(reached)),
            findings,
            len(flight.violations) - len(findings),
            flight.result.virtual_s if flight.result else 0.0,
            scenario=canonical(scenario).decode() if findings else "",
            remark=self._remark(),
        )

    def _remark(self) -> str:
        return "; ".join(
            f"{Path(script).name} is started anew for each run: {why}" for script, why in self._warm.reasons.items()
        )

    def fly(self, scenario: Scenario, run_dir: Path | None = None) -> Flight:
        """Fly ``scenario``; what the reference breaks too is not charged to the program under test.

        A flight that is kept, in ``run_dir``, starts programs cold, so that no finding rests on warm starts alone.
        """
        flight = fly(scenario, run_dir, warm=self._warm if run_dir is None else None)
        if not flight.findings or scenario.rung == "model" or scenario.program.definitions is None:
            return flight
        return charged(flight, fly(reference(scenario)))


def reference(scenario: Scenario) -> Scenario:
    """The same scenario with the modelled program, which keeps every promise."""
    return with_overrides(scenario, rung="model", hosts={}, **{"program.path": None, "program.python": None})


def charged(flight: Flight, known_good: Flight) -> Flight:
    """``flight`` with every violation excused whose oracle is violated in ``known_good`` too."""
    shared = {violation.oracle for violation in known_good.violations}
    return replace(flight, violations=tuple(_excused_if(one, one.oracle in shared) for one in flight.violations))


def _excused_if(violation: Violation, shared: bool) -> Violation:
    return replace(violation, excused=violation.excused or shared)
