"""The simulated master of dialect ``specification``.

Rules: what it knows of a test program stands in a SiteView, which runs the SITE table; whatever has no row there is a
system error. In error it sends no ``Next``; sites that still test may finish, their results are kept and marked, and
every program that is idle is told to terminate. So is one whose control has crashed, which nobody else can end, and
one that is still there when no lot is loaded.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.machine import IllegalEventError
from drycell.runtime.protocol.table import Table
from drycell.runtime.protocol.topics import site_of
from drycell.sim.broker import Message
from drycell.sim.cell.barrier import Barrier
from drycell.sim.cell.base_master import CONNECTING, BaseMaster
from drycell.sim.cell.site_view import SiteView
from drycell.sim.cell.teardowns import Teardowns
from drycell.sim.cell.touchdown import part_result

Json = dict[str, Any]
_EVENTS = {"idle": "idle", "testing": "testing", "Shutdown": "shutdown", "error": "failed", "crash": "crashed"}
"""What an announced state is to the SITE table."""


class SpecificationMaster(BaseMaster):
    """The master of dialect ``specification``.

    ``peripherals``: every actuator of the cell; ``site_table``: how it sees each program.
    """

    dialect = spec.SPECIFICATION

    def __init__(
        self, *args: Any, peripherals: Collection[str] = (), site_table: Table = spec.SITE, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._site_table = site_table
        self._views: dict[str, SiteView] = {}
        self._orphans: set[str] = set()
        """Sites whose control has crashed and is not back: its program lives on."""
        timeout_s = self._timeouts_s["peripheral_s"]
        self._barrier = Barrier(
            self._port,
            self._topics,
            self._reach,
            peripherals,
            timeout_s=timeout_s,
            active=self._active_sites,
            fail=self.fail,
        )
        self._teardowns = Teardowns(self._port, self._reach, tuple(peripherals), timeout_s=timeout_s)

    @property
    def _relay(self) -> Barrier:
        return self._barrier

    def _own_actions(self) -> Mapping[str, Callable[[], None]]:
        return {"tear_down_actuators": self._tear_down_actuators, "dismiss_programs": self._dismiss_programs}

    def _own_commands(self) -> Mapping[str, Callable[[Json], None]]:
        return {}

    def die(self) -> None:
        super().die()
        self._forget_programs()

    def fail(self, message: str) -> None:
        """Anything that must not happen: system error with ``message``."""
        if not self._dead:
            self._peer.fire("fail", message)

    # what the others say -------------------------------------------------------------------------------------------

    def _judge_control(self, site: str, state: str, reason: str) -> None:
        view = self._views.get(site)
        if state in ("error", "crash") and self.state not in CONNECTING:
            if state == "crash":
                self._orphans.add(site)
            if state == "crash" or view is None or self._has_gone(view):
                self.fail(f"the control of site {site} is in state {state}: {reason or 'no reason given'}")
        elif state == "idle" and site in self._orphans:
            self._orphans.discard(site)
        elif state == "idle" and view is not None:
            was_told = view.state == "shutdown"
            if self._has_gone(view) and not was_told:
                self.fail(f"the test program of site {site} ended without Shutdown while the master was {self.state}")
        elif state == "idle" and self.state in CONNECTING and self._all_controls_idle:
            self._peer.fire("controls_idle")

    @property
    def _all_controls_idle(self) -> bool:
        return all(self._controls.get(site) == "idle" for site in self._sites)

    @staticmethod
    def _has_gone(view: SiteView) -> bool:
        """Note that the program is no more; False when that was known."""
        known = not view.machine.can("exited")
        if not known:
            view.fire("exited")
        return not known

    def _wrong_version(self, text: str) -> None:
        self.fail(text)

    def _refuse_strangers(self, text: str) -> None:
        self.fail(text)

    def _heard_program(self, message: Message) -> None:
        topic = self._topics.canonical(message.topic)
        site, kind = site_of(topic), topic.split("/")[3]
        listener, view = self._program_listeners.get(kind), self._views.get(site)
        if view is None and kind == "status":
            self._dismiss_leftover(site, message.payload)
        if listener is None or view is None or view.state in self._site_table.final:
            return
        try:
            listener(self, view, message.payload)
        except IllegalEventError as error:
            what = {"fragment": "sent STDF"}.get(error.event, f"announced {error.event}")
            self.fail(f"the test program of site {site} {what} while it was {error.state}")
        except (ValueError, RecursionError) as error:
            self.fail(f"the test program of site {site} sent a {kind} that cannot be used: {error}")

    def _dismiss_leftover(self, site: str, payload: bytes) -> None:
        """No lot is loaded: a program that is ready has outlived its own."""
        try:
            state = messages.decode(payload).get("state")
        except (ValueError, RecursionError):
            return
        if state == "idle":
            self._tell_programs("terminate", (site,))

    def _heard_status(self, view: SiteView, payload: bytes) -> None:
        status = messages.decode(payload)
        event = _EVENTS.get(str(status.get("state")))
        if event is None:
            raise ValueError(f"there is no state {status.get('state')!r}")
        if event == "crashed" and self._is_farewell(view):
            return
        was = view.state
        view.fire(event)
        words = status.get("payload")
        why = words.get("message") if isinstance(words, dict) else ""
        if event == "crashed":
            self.fail(f"the test program of site {view.site} crashed while it was {was}")
        elif event == "failed":
            self.fail(f"the test program of site {view.site} reported an error: {why or 'no reason given'}")

    def _is_farewell(self, view: SiteView) -> bool:
        """Whether a program of before the last reset says its last word: the present one is not even started."""
        return view.state == "away" and self._controls.get(view.site) != "busy"

    def _heard_stdf(self, view: SiteView, payload: bytes) -> None:
        view.hear_fragment(payload)

    def _heard_io(self, view: SiteView, payload: bytes) -> None:
        if view.site in self._active_sites():
            self._barrier.request(view.site, messages.decode(payload))
        else:
            self._port.record("ignored", what="io-control request", site=view.site, state=view.state)

    _program_listeners: Mapping[str, Callable[["SpecificationMaster", SiteView, bytes], None]] = {
        "status": _heard_status,
        "stdf": _heard_stdf,
        "io-control": _heard_io,
    }

    def _active_sites(self) -> tuple[str, ...]:
        return tuple(site for site, view in self._views.items() if view.state in ("released", "testing"))

    # what it comes to ----------------------------------------------------------------------------------------------

    def _site_changed(self, site: str) -> None:
        states = {view.state for view in self._views.values()}
        if self.state == "loading" and states == {"idle"}:
            self._peer.fire("programs_idle")
        elif self.state == "testing" and self._touchdown.all_results and not self._active_sites():
            self._peer.fire("results_complete")
        elif self.state == "unloading" and states == {"gone"}:
            self._peer.fire("programs_gone")
        elif self.state == "softerror" and self._views[site].state == "idle":
            self._terminate([site])
        self._barrier.review()

    def _take_result(self, site: str) -> None:
        try:
            records = spec.read_records(self._views[site].pieces)
            part = part_result(records, site, self._touchdown.part_of(site))
            self._on_result(site, records)
        except ValueError as error:
            self.fail(f"the result of site {site} cannot be used: {error}")
            return
        self._touchdown.results[site] = part
        if self.state == "softerror":
            self._port.record("kept", site=site, part=str(part["PART_ID"]))

    # actions of the table ------------------------------------------------------------------------------------------

    def _forget_programs(self) -> None:
        for view in self._views.values():
            view.machine.stop()
        self._views = {}

    def _reset_all(self) -> None:
        self._barrier.clear()
        self._forget_programs()
        self._controls = {}
        self._orphans = set()
        self._port.publish(self._topics.control_cmd, messages.command("reset", self._sites))

    def _load_programs(self) -> None:
        if self._job is not None:
            self._views = {site: self._view_of(site) for site in self._sites}
        super()._load_programs()

    def _view_of(self, site: str) -> SiteView:
        return SiteView(
            self._port,
            site,
            self._site_table,
            timeouts_s=self._timeouts_s,
            take_result=self._take_result,
            on_late=self.fail,
            on_change=self._site_changed,
        )

    def _send_next(self) -> None:
        for site in self._touchdown.sites:
            self._views[site].fire("next")
        tests = () if self._job is None else self._job.tests
        data = messages.job_data(self.options, self._touchdown.sites_info, tests)
        self._tell_programs("next", self._touchdown.sites, job_data=data)

    def _terminate_programs(self) -> None:
        self._terminate(self._sites)

    def _terminate(self, sites: Collection[str]) -> None:
        for site in sites:
            self._views[site].fire("terminate")
        self._tell_programs("terminate", tuple(sites))

    def _dismiss_programs(self) -> None:
        """In error no device follows: programs that are idle end."""
        idle = [site for site, view in self._views.items() if view.state == "idle"]
        if idle:
            self._terminate(idle)

    def _tear_down_actuators(self) -> None:
        self._teardowns.run(self._torn_down)

    def _torn_down(self, failures: str) -> None:
        if self._dead or self.state != "parking":
            return  # after an error nobody waits for it
        if failures:
            self.fail(f"actuators could not be torn down: {failures}")
        else:
            self._peer.fire("torn_down")
