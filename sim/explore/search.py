"""The search: which run is next, who flies it, what is new about it, and what becomes of its findings.

Rules
- Runs are judged in the order of their numbers, whoever flies them and whenever they land: the first run that shows
  a kind of violation is the same for every number of workers.
- A new finding is on disk before anything else is done with it. Then a worker confirms and reduces it. While the
  search goes on, at most half of the workers (but one) do so: programs that are slow to start would stop it else.
- Whoever asks to stop gets the runs in the air back, and then the search ends. What was found is kept; what was not
  reduced by then can be reduced later.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from drycell.sim.explore.coverage import Coverage
from drycell.sim.explore.findings import FindingStore
from drycell.sim.explore.flight import Violation
from drycell.sim.explore.pilot import Landed, Pilot, Plan, landed_from
from drycell.sim.explore.pool import Crew, Done, Here, Pool, Task
from drycell.sim.explore.schedule import Schedule
from drycell.sim.explore.worker import answer
from drycell.sim.scenario import from_text

RUN_LIMIT_S = 120.0
"""Wall time after which a run is given up. A drawn run takes a few hundredths of it."""
_PATIENCE_S = 0.2
End = Literal["runs", "time", "stopped"]


@dataclass
class Progress:
    """How far a search has come. ``first``: kind of violation -> number of the first run that showed it."""

    runs: int = 0
    virtual_s: float = 0.0
    excused: int = 0
    begun_s: float = field(default_factory=time.monotonic)
    first: dict[str, int] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    reducing: int = 0
    troubles: list[str] = field(default_factory=list)
    remarks: dict[str, None] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.begun_s


class Search:
    """Searches ``plan`` under ``seed``, with ``jobs`` worker processes, 0 for none: all in this process.

    ``pilot``: who flies when all is in this process, for plans with strategies of one's own. ``investigates``:
    whether findings are confirmed and reduced.
    """

    def __init__(
        self,
        plan: Plan,
        store: FindingStore,
        *,
        seed: int,
        jobs: int = 0,
        pilot: Pilot | None = None,
        investigates: bool = True,
        watch: Callable[["Search"], None] = lambda _: None,
    ) -> None:
        self.plan, self.store, self.seed = plan, store, seed
        self.coverage = Coverage(plan.reachable())
        self.progress = Progress()
        self._schedule = Schedule(seed, self.coverage)
        self._jobs, self._pilot, self._watch, self._investigates = jobs, pilot, watch, investigates
        self._landed: dict[int, Landed] = {}
        self._to_reduce: list[Task] = []
        self._next, self._judged, self._in_the_air, self._at_work = 1, 0, 0, 0
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; :meth:`run` returns when what is in the air has landed."""
        self._stopping = True

    def run(self, *, runs: int | None = None, wall_s: float | None = None) -> End:
        """Search until ``runs`` are flown or ``wall_s`` have passed, and all findings are reduced."""
        crew = self._crew()
        try:
            while True:
                over = self._over(runs, wall_s)
                self._hand_out(crew, over, runs)
                if over is not None and not self._in_the_air and (self._stopping or not self.progress.reducing):
                    return over
                for done in crew.wait(_PATIENCE_S):
                    self._take(done)
                self._watch(self)
        finally:
            crew.close()
            self._judge_the_rest()

    # handing out ---------------------------------------------------------------------------------------------------

    def _crew(self) -> Crew:
        if self._jobs == 0:
            pilot = self._pilot or Pilot(self.plan)
            return Here(partial(answer, pilot, self.store), pilot.close)
        return Pool({"plan": self.plan.to_json(), "store": str(self.store.root.absolute())}, self._jobs)

    def _over(self, runs: int | None, wall_s: float | None) -> End | None:
        if self._stopping:
            return "stopped"
        if runs is not None and self._next > runs:
            return "runs"
        return "time" if wall_s is not None and self.progress.wall_s >= wall_s else None

    def _hand_out(self, crew: Crew, over: End | None, runs: int | None) -> None:
        reducers = max(1, self._jobs // 2 if over is None else self._jobs)
        while crew.free() and not self._stopping:
            if self._to_reduce and self._at_work < reducers:
                crew.take_on(self._to_reduce.pop(0), None)
                self._at_work += 1
                continue
            if over is None and (runs is None or self._next <= runs) and self._schedule.ready(self._next):
                dna = self._schedule.genome(self._next)
                crew.take_on({"number": self._next, "dna": dna.hex()}, RUN_LIMIT_S)
                self._next += 1
                self._in_the_air += 1
            else:
                return

    # taking back ---------------------------------------------------------------------------------------------------

    def _take(self, done: Done) -> None:
        if "reduce" in done.task:
            self._at_work -= 1
            self.progress.reducing -= 1
            trouble = done.trouble or (done.answer or {}).get("trouble", "")
            self.progress.troubles += [trouble] if trouble else []
            return
        self._in_the_air -= 1
        number = done.task["number"]
        landed = Landed(number, trouble=done.trouble) if done.answer is None else landed_from(done.answer)
        self._landed[number] = landed
        self._schedule.land(number, landed.dna, landed.reached)
        while self._judged + 1 in self._landed:
            self._judged += 1
            self._judge(self._landed.pop(self._judged))

    def _judge_the_rest(self) -> None:
        """A stopped search has gaps where runs did not come back; what landed behind them counts all the same."""
        for number in sorted(self._landed):
            self._judge(self._landed.pop(number))
        self._schedule.finish()

    def _judge(self, landed: Landed) -> None:
        self.progress.runs += 1
        self.progress.virtual_s += landed.virtual_s
        self.progress.excused += landed.excused
        if landed.remark:
            self.progress.remarks[landed.remark] = None
        if landed.trouble:
            self.progress.troubles.append(f"run {landed.number}: {landed.trouble}")
        for violation in landed.findings:
            self._keep(landed, violation)

    def _keep(self, landed: Landed, violation: Violation) -> None:
        new = self.store.known(violation.signature) is None
        scenario = from_text(landed.scenario, as_json=True, folder=self.plan.base.folder)
        where = f"drycell explore --seed {self.seed}, run {landed.number}"
        self.store.add(scenario, violation, where=where)
        self.progress.first.setdefault(violation.signature, landed.number)
        if new:
            self.progress.new.append(violation.signature)
            if self._investigates:
                self.progress.reducing += 1
                self._to_reduce.append({"reduce": violation.signature})
