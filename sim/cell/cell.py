"""A cell: kernel, broker and peers of one scenario, put together and run to its end.

Rules: the cell ends when the handler is done, when nobody can help any more, when a limit is reached, or when the
simulation stands still; whatever the reason, it is the last event of the journal.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from drycell.runtime.program.sequencer import Launch
from drycell.sim.broker import AnyBroker, Broker, ExternalBroker
from drycell.sim.cell.base_master import BaseMaster
from drycell.sim.cell.bench import CellBench
from drycell.sim.cell.bridge import Bridge
from drycell.sim.cell.control import Control, Programs
from drycell.sim.cell.deeds import Deed, Owner, Peripheral
from drycell.sim.cell.handler import Handler, Motion
from drycell.sim.cell.instruments import InstrumentServer
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.launcher import Launcher
from drycell.sim.cell.line_server import Answers
from drycell.sim.cell.lot import Lot, Place, Wafer, plan_handler, plan_prober
from drycell.sim.cell.modelled_program import ModelledProgram
from drycell.sim.cell.offers import check_names, offers
from drycell.sim.cell.port import CellPort
from drycell.sim.cell.program_model import ProgramModel
from drycell.sim.cell.programs import HinderedPrograms, InProcess, ModelPrograms, OnExit, ProcessPrograms
from drycell.sim.cell.release import Releases
from drycell.sim.cell.result import BLOCKED, DONE
from drycell.sim.cell.roles import ROLES
from drycell.sim.cell.sdk_files import SdkFile
from drycell.sim.cell.sdk_program import SdkProgram
from drycell.sim.cell.seams import Seams
from drycell.sim.cell.stage import Hands, LotDevices
from drycell.sim.cell.stdf_file import StdfFile
from drycell.sim.cell.tcc import TestCellController
from drycell.sim.cell.testhead import TestHead
from drycell.sim.cell.timeline import Timeline
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.hooks import (
    Device,
    Instrument,
    Planned,
    Population,
    PopulationRequest,
    Prepared,
    Seated,
    Tester,
    registry,
)
from drycell.sim.kernel import NS_PER_S, Event, Kernel, StuckError, ns
from drycell.sim.lockstep import DebugWish, Lockstep, Settings
from drycell.sim.scenario import Scenario

Json = dict[str, Any]

STACKS = "stacks.txt"  # of every program, when the cell ended before its lot
"""Where each real program stood when its cell ended before the lot did; beside the journal, for a person."""
LINGER_S = 0.05
"""How long a cell goes on after its end was decided, so that the effects of the last cause are in the journal."""


@dataclass(frozen=True, slots=True)
class RealProgram:
    """A program to be started in processes: interpreter, script, the (private) folder it runs in, and whose copy
    that is. ``debug``: let a debugger into the program of one site."""

    python: Path
    script: str
    folder: Path
    origin: Path
    debug: DebugWish | None = None


class Cell:
    """One cell, made of a scenario.

    ``program`` is what rung model interprets, or ``sdk`` the file it executes; ``real`` is what rung process starts.
    """

    def __init__(
        self, scenario: Scenario, kernel: Kernel, *, job: Job, program: ProgramModel | None, real: RealProgram | None,
        run_dir: Path, sdk: SdkFile | None = None, warm: WarmPrograms | None = None,
    ) -> None:  # fmt: skip
        self._scenario = scenario
        self._run_dir = run_dir
        self._kernel = kernel
        self._job = job
        self._program = program
        self._real = real
        self._sdk = sdk
        self._run_dir = run_dir
        cell = scenario.cell
        self.timeouts_s: dict[str, float] = {str(name): seconds for name, seconds in cell.timeouts.items()}
        self.protocol, self.sites = cell.protocol, cell.sites
        self._roles = ROLES[cell.dialect]
        self._topics = self.protocol.topics(cell.device_id, cell.handler.id)
        self._over: asyncio.Future[str]
        self._resets_left = cell.operator.resets
        self._head = TestHead()
        self._population = self._populate()
        self.devices = LotDevices(self._population, self._head.changed)
        self.seed = scenario.seed
        self.ports: list[CellPort] = []
        self.tasks: list[asyncio.Task[None]] = []
        record = kernel.journal.record
        self._broker = self._make_broker()
        self._seams = Seams(self._broker)
        self._bench = None
        if scenario.bench is not None:
            self._bench = CellBench(scenario, kernel.clock.read_ns, record, self._seams)
            self._head.watch(self._seat)
        self.instruments = {
            name: InstrumentServer(name, self._instrument(name, instrument.model), record, self._seams.reply)
            for name, instrument in scenario.instruments.items()
        } | (self._bench.servers if self._bench else {})
        self._tester = self._make_tester()
        self._launcher = None if real is None else self._make_launcher(real, warm)
        self.lockstep = self._make_lockstep() if real is not None and kernel.pace.is_virtual else None
        self.stdf = StdfFile(kernel, run_dir, scenario.epoch, cell.sites, scenario.stdf.cost_per_test_ms)
        self.programs = self._make_programs()
        self.hindered = HinderedPrograms(kernel, self.programs)
        self._hands = Hands(self, kernel, self._broker, self._topics, self._seams)
        self._make_peers()
        if self._tester is not None:
            Releases(self._port("master"), self._topics, self._tester).start()
        check_names(scenario, self.instruments)
        self._bridge = self._make_bridge() if real is not None else None

    @property
    def deterministic(self) -> bool:
        """Whether the same scenario gives the same journal again: models do, and real programs in virtual time."""
        return self._real is None or (self.lockstep is not None and self.lockstep.deterministic)

    # assembly ------------------------------------------------------------------------------------------------------

    def _make_broker(self) -> AnyBroker:
        cell, kernel = self._scenario.cell, self._kernel
        record = kernel.journal.record
        if cell.broker is not None:
            return ExternalBroker(cell.broker, now_ns=kernel.clock.read_ns, record=record)
        tcp = self._real is not None or cell.port != 0
        kernel.journal.by_instant = not tcp
        return Broker(now_ns=kernel.clock.read_ns, record=record, port=cell.port, tcp=tcp)

    def _populate(self) -> Population:
        devices = self._scenario.devices
        file = None if devices.file is None else self._scenario.path_of(devices.file)
        return registry().population(
            devices.model,
            PopulationRequest(
                self._scenario.seed, devices.lot, devices.size, devices.defects, dict(devices.spread), file
            ),
        )

    def _instrument(self, name: str, model: str) -> Instrument:
        made = registry().instrument(model, self._device_at)
        if isinstance(made, Prepared):
            made.prepare(name, self._population)
        if isinstance(made, Seated):
            self._head.watch(partial(self._tell, made))
        return made

    def _tell(self, instrument: Seated, site: int, number: int | None) -> None:
        instrument.seat(site, None if number is None else self.devices.device(number))

    def _make_tester(self) -> Tester | None:
        wanted = self._scenario.cell.tester
        if wanted is None:
            return None
        tester = registry().tester(wanted.model, max(self._scenario.cell.sites) + 1)
        record = self._kernel.journal.record
        tester.on_call = lambda call, site: record("tester", "tester", call=call, site=site)
        return tester

    def _make_bridge(self) -> Bridge | None:
        """What real programs find behind the names of their plugins."""
        found = offers(
            self._scenario,
            self._kernel,
            self._port,
            tester=self._tester,
            instruments=self.instruments,
            drivers=self._bench.drivers if self._bench else {},
        )
        return Bridge(found) if found else None

    def _device_at(self, site: int) -> Device | None:
        number = self._head.device_number(site)
        return None if number is None else self.devices.device(number)

    def _seat(self, site: int, number: int | None) -> None:
        assert self._bench is not None
        self._bench.seat(site, None if number is None else self.devices.device(number))

    def _put(self, instrument: str | None, line: str, done: Callable[[Answers], None]) -> None:
        """Hand a line to an instrument in-process; None is the first there is."""
        name = next(iter(self.instruments), "") if instrument is None else instrument
        if name in self.instruments:
            self.instruments[name].put(line, done)
        else:
            done(f"ERROR there is no instrument {name}")

    def _port(self, actor: str) -> CellPort:
        port = CellPort(self._kernel, self._broker, actor)
        self.ports.append(port)
        return port

    def _make_programs(self) -> ModelPrograms | ProcessPrograms:
        if self._real is None or self._launcher is None:
            return ModelPrograms(self._kernel, self._model_of if self._sdk is None else self._sdk_program)
        return ProcessPrograms(
            self._kernel,
            self._launcher,
            self._broker,
            python=self._real.python,
            topics=self._topics,
            environment=self._environment,
            lockstep=self.lockstep,
        )

    def _environment(self, site: str) -> dict[str, str]:
        """Variables for the program of ``site``: where its instruments and its tester are, and its debugger."""
        told = {variable: self.instruments[name].address for variable, name in self._variables().items()}
        told |= self._bench.visa_environment() if self._bench else {}
        told |= self._bridge.environment(int(site)) if self._bridge else {}
        real, wish = self._real, self._debug
        if real is not None and self.lockstep is not None and wish is not None and wish.site == int(site):
            told |= self.lockstep.debugger(wish, [(real.origin, real.folder)])
        return told

    @property
    def _debug(self) -> DebugWish | None:
        return None if self._real is None else self._real.debug

    def _variables(self) -> dict[str, str]:
        """Environment variables of programs and the instrument that each leads to."""
        own = {one.variable: name for name, one in self._scenario.instruments.items()}
        return own | (self._bench.variables if self._bench else {})

    def _make_launcher(self, real: RealProgram, warm: WarmPrograms | None) -> Launcher:
        is_virtual = self._kernel.pace.is_virtual
        can_fork = warm is not None and is_virtual and real.debug is None
        server = warm.server(real.python, real.script, real.folder) if warm is not None and can_fork else None
        return Launcher(self._run_dir, by_request=is_virtual, server=server)

    def _make_lockstep(self) -> Lockstep:
        """Real programs on simulated time: the seed and the date they see are the scenario's."""
        launcher = self._launcher
        assert launcher is not None
        limits = self._scenario.limits
        settings = Settings(
            seed=self._scenario.seed,
            epoch_ns=round(self._scenario.epoch.timestamp()) * NS_PER_S,
            guard_s=limits.computing_s,
            on_hang=limits.on_hang,
        )
        if self._debug is not None:
            settings = replace(settings, guard_s=None)
        return Lockstep(
            self._kernel,
            settings,
            on_exit=lambda process: launcher.await_exit(process.pid),
            on_finding=lambda f: self._kernel.journal.record("problem", f.process, text=f"{f.process}: {f.text}"),
        )

    def _sdk_program(self, site: str, bin_table: Mapping[int, tuple[int, ...]], on_exit: OnExit) -> InProcess:
        assert self._sdk is not None
        cell = self._scenario.cell
        return SdkProgram(
            self._kernel,
            self._broker,
            self._sdk.path,
            Launch(cell.device_id, int(site), bin_table),
            cell.protocol,
            instruments={variable: self.instruments[name].put for variable, name in self._variables().items()},
            on_exit=on_exit,
        )

    def _model_of(self, site: str, bin_table: Mapping[int, tuple[int, ...]], on_exit: OnExit) -> ModelledProgram:
        assert self._program is not None
        return self._roles.program(
            self._kernel,
            self._broker,
            self._topics,
            self._program,
            site,
            put=self._put,
            bin_table=bin_table,
            timeouts_s=self.timeouts_s,
            quirks=self._scenario.cell.quirks,
            on_exit=on_exit,
            **({"tester": self._tester} if self._tester is not None else {}),
        )

    def _make_peers(self) -> None:
        cell, topics = self._scenario.cell, self._topics
        common: Json = {"timeouts_s": self.timeouts_s, "quirks": cell.quirks}
        programs: Programs = self.hindered
        sites = [str(site) for site in cell.sites]
        tcc = self._port("tcc")
        self.tcc = TestCellController(tcc, topics, self._owner("tcc", tcc))
        self._controls = [Control(self._port(f"control{site}"), topics, site, programs, **common) for site in sites]
        self.master = self._make_master()
        wafer = cell.handler.wafer
        self.handler = Handler(
            self._port("handler"),
            topics,
            [self._lot()],
            sites=cell.sites,
            layout=cell.layout,
            head=self._head,
            true_values=lambda number: self.devices.device(number).parameters,
            motion=Motion(
                cell.handler.index_time_s if wafer is None else wafer.step_time_s,
                0.0 if wafer is None else wafer.change_time_s,
            ),
            on_done=lambda: self._end(DONE),
            on_error=self._soft_error,
            **common,
        )

    def _make_master(self) -> BaseMaster:
        port = self._port("master")
        return self._roles.master(
            port,
            self._topics,
            [str(site) for site in self._scenario.cell.sites],
            find_job=lambda lot: self._job if lot == self._job.lot else None,
            on_lot=self.stdf.open,
            on_result=self.stdf.result,
            on_summary=self.stdf.summary,
            on_lot_end=self.stdf.finish,
            own=self._owner("master", port),
            timeouts_s=self.timeouts_s,
            quirks=self._scenario.cell.quirks,
            **self._roles.settings(self._scenario),
        )

    def _owner(self, role: str, port: CellPort) -> Owner:
        """What carries out requests to the peripherals that ``role`` owns."""
        owned = {
            kind: Peripheral(
                entry.latency_s,
                entry.answer,
                {ioctl: Deed(deed.to, deed.message, deed.until) for ioctl, deed in entry.does.items()},
                entry.answers,
            )
            for kind, entry in self._scenario.cell.peripherals.items()
            if entry.owner == role
        }
        return Owner(port, owned, self._put)

    def new_master(self) -> None:
        """A master with no memory takes the place of the one that died."""
        self.master = self._make_master()
        self.master.start()

    def control(self, site: int) -> Control:
        """The control of ``site``."""
        return self._controls[self._scenario.cell.sites.index(site)]

    def _lot(self) -> Lot:
        cell, size, name = self._scenario.cell, self._scenario.devices.size, self._scenario.devices.lot
        if isinstance(self._population, Planned):
            planned = deque(dict(touch) for touch in self._population.touchdowns)
            places = {number: Place(wafer) for number, wafer in self._population.wafers.items()}
            return Lot(name, size, planned, places, parts=self._population.parts)
        if cell.handler.wafer is None:
            touches, places = list(plan_handler(size, cell.sites)), dict[int, Place]()
        else:
            wafer = Wafer(cell.handler.wafer.columns, cell.handler.wafer.rows)
            touches, places = plan_prober(size, cell.sites, cell.layout, wafer)
        return Lot(name, size, deque(touches), places, frozenset(cell.handler.retest_bins), cell.handler.retests)

    # what the timeline does ----------------------------------------------------------------------------------------

    def operator(self, command: str, payload: Json) -> None:
        """The operator gives a command at the master's screen."""
        self.master.operator(command, payload)

    # the run -------------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Run to the end; returns why it ended. DrycellError when the cell cannot even be started."""
        try:
            return self._kernel.run(self._main())
        finally:
            self._kernel.run(self._take_apart())

    async def _main(self) -> str:
        self._over = asyncio.get_running_loop().create_future()
        self._surface_errors()
        await self._broker.start()
        if self._launcher is not None:
            await self._launcher.start()
            for instrument in self.instruments.values():
                await instrument.start()
            if self._bridge is not None:
                await self._bridge.start()
        self._open_ports()
        self._timeline = Timeline(
            self._kernel, self._topics, self._scenario.timeline, self._hands, present=self.handler
        )
        self._arm_limits()
        self.tcc.start()
        for control in self._controls:
            control.start()
        self.master.start()
        self.handler.start()
        reason = await self._over
        await asyncio.sleep(LINGER_S)
        self._kernel.journal.record("end", "cell", reason=reason)
        if self.lockstep is not None:
            self._keep(BLOCKED, {f"{f.process}: {f.text}": f.stack for f in self.lockstep.counters.blocked})
            self._keep(STACKS, {} if reason == DONE else self.lockstep.stacks())
        return reason

    def _keep(self, name: str, stacks: Mapping[str, str]) -> None:
        """Write down, for a person, where programs stand or stood."""
        if stacks:
            text = "\n".join(f"{heading}\n{stack}\n" for heading, stack in stacks.items())
            (self._run_dir / name).write_text(text, "utf-8")

    def _open_ports(self) -> None:
        """Tell real programs in virtual time which ports are the cell's."""
        if self.lockstep is not None:
            self.lockstep.open_port(self._broker.port)
            if self._bridge is not None:
                self.lockstep.open_port(self._bridge.tcp_port)
            ports = {name: int(one.address.rpartition(":")[2]) for name, one in self.instruments.items()}
            for port in ports.values():
                self.lockstep.open_port(port)
            for address, name in self._scenario.hosts.items():
                host, colon, port_text = address.rpartition(":")
                self.lockstep.map_host(host if colon else address, int(port_text) if colon else 0, ports[name])
            for host, port, name in self._bench.fixed_addresses() if self._bench else ():
                self.lockstep.map_host(host, port, ports[name])

    def _surface_errors(self) -> None:
        """An exception in any callback of the loop is an error of ours: it ends the run instead of being logged."""

        def broken(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception") or RuntimeError(context.get("message"))
            if not self._over.done():
                self._over.set_exception(error)

        asyncio.get_running_loop().set_exception_handler(broken)

    def _arm_limits(self) -> None:
        limits = self._scenario.limits
        self._kernel.later(
            ns(limits.virtual_s), lambda: self._give_up(f"the limit of {limits.virtual_s:g} simulated s")
        )
        if limits.events is not None:
            self._kernel.journal.watch(partial(self._stop_at, limits.events))
        if limits.wall_s is not None and self._debug is None:
            deadline, wall_s = time.monotonic() + limits.wall_s, limits.wall_s

            def look() -> None:
                if time.monotonic() >= deadline:
                    self._give_up(f"the limit of {wall_s:g} s of wall time")
                else:
                    self._kernel.later(ns(1), look)

            self._kernel.later(ns(1), look)

    def _stop_at(self, number: int, event: Event) -> None:
        """The journal is complete with that event; what the cell does until it has ended is told nobody."""
        if event.seq == number:
            self._kernel.journal.close()
            self._end(f"stopped at event {number}")

    def _give_up(self, what: str) -> None:
        if not self._over.done():
            self._kernel.journal.record("problem", "cell", text=f"the run was stopped at {what}")
            self._end(f"stopped at {what}")

    def _end(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_result(reason)

    def _soft_error(self) -> None:
        operator = self._scenario.cell.operator
        if self._resets_left > 0:
            self._resets_left -= 1
            self._kernel.later(ns(operator.reset_after_s), lambda: self.operator("reset", {}))
        else:
            self._end_unless_helped()

    def _end_unless_helped(self) -> None:
        """Nobody presses reset: the run is over as soon as nothing is still to come that could help."""
        if self.handler.state != "error":
            return
        rest_ns = ns(self._scenario.limits.least_s) - self._kernel.now_ns
        if self._timeline.pending or self._hands.pending:
            self._kernel.later(ns(1), self._end_unless_helped)
        elif rest_ns > 0:
            self._kernel.later(rest_ns, self._end_unless_helped)
        else:
            self._end("soft error, and nobody resets")

    async def _take_apart(self) -> None:
        self._kernel.journal.close()
        self._kernel.attach(None)
        if self.lockstep is not None:
            self.lockstep.close()
        if self._launcher is not None:
            await self._launcher.stop()
        for instrument in self.instruments.values():
            await instrument.stop()
        if self._bridge is not None:
            await self._bridge.stop()
        for task in self.tasks:
            task.cancel()
        await self._broker.stop()
        self.stdf.close()


def stands_still(error: StuckError) -> str:
    """One sentence for a cell in which nothing can happen any more."""
    return f"the cell stands still: {error}"
