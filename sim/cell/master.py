"""The simulated master of dialect ``semi-ate``.

Rules: what it knows of the sites stands in a Touchdown and in two dictionaries of last states.
"""

from collections.abc import Callable, Mapping
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.semi_ate import SEMI_ATE
from drycell.runtime.protocol.topics import site_of
from drycell.sim.broker import Message
from drycell.sim.cell.base_master import CONNECTING, BaseMaster
from drycell.sim.cell.peripherals import PeripheralRelay
from drycell.sim.cell.touchdown import Touchdown, part_result

Json = dict[str, Any]

TESTING = ("awaiting_testing", "awaiting_results")
LOADED = ("ready", *TESTING)


class Master(BaseMaster):
    """The master of dialect ``semi-ate``."""

    dialect = SEMI_ATE

    def __init__(self, *args: Any, loglevel: int = 30, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loglevel = loglevel
        self._programs: dict[str, str] = {}
        self._requests = PeripheralRelay(
            self._port,
            self._topics,
            self._reach,
            timeout_s=self._timeouts_s["peripheral_s"],
            quirks=self._quirks,
            waiting_sites=lambda all_of_them: self._touchdown.sites if all_of_them else self._touchdown.waiting,
            fail=self.fail,
        )

    @property
    def _relay(self) -> PeripheralRelay:
        return self._requests

    def _own_actions(self) -> Mapping[str, Callable[[], None]]:
        return {"configure_programs": self._configure_programs}

    def _own_commands(self) -> Mapping[str, Callable[[Json], None]]:
        return {
            "setloglevel": lambda p: self._tell_programs("setloglevel", level=int(p["level"])),
            "binMap": lambda p: self._tell_programs("sethbin", sbin=int(p["sBin"]), hbin=int(p["hBin"])),
            "setparameter": lambda p: self._tell_programs("setparameter", parameters=p["parameters"]),
        }

    def _forget_programs(self) -> None:
        self._programs = {}

    def _refuse_strangers(self, text: str) -> None:
        if "master-sends-next-for-unknown-site" in self._quirks:
            self._send_next()
        self.fail(text)

    def _wrong_version(self, text: str) -> None:
        self._peer.fire("wrong_version", text)

    def fail(self, message: str) -> None:
        """Anything that must not happen: soft error with ``message``."""
        if self._peer.machine.can("fail") and not self._dead:
            self._relay.clear()
            if self.state == "softerror" and "master-hides-message" in self._quirks:
                return
            self._peer.fire("fail", message)

    # what the others say --------------------------------------------------------------------------------------------

    def _judge_control(self, site: str, state: str, reason: str) -> None:
        if state in ("error", "crash") and self.state not in ("softerror", "error", *CONNECTING):
            self.fail(f"the control of site {site} is in state {state}: {reason or 'no reason given'}")
        elif state == "busy" and self.state in CONNECTING and "master-trips-over-late-states" in self._quirks:
            self.fail(f"the control of site {site} is busy while the master connects")
        elif state == "idle":
            self._control_is_idle(site)

    def _control_is_idle(self, site: str) -> None:
        if self.state in (*CONNECTING, "unloading"):
            if all(self._controls.get(other) == "idle" for other in self._sites):
                self._peer.fire("controls_idle")
        elif self.state in LOADED:
            self.fail(f"the test program of site {site} ended while the master was {self.state}")
        elif self.state == "loading" and "master-ignores-exit-while-loading" not in self._quirks:
            self.fail(f"the test program of site {site} ended before it became idle")

    def _heard_program(self, message: Message) -> None:
        site, kind = site_of(message.topic), message.topic.split("/")[3]
        listener = self._program_listeners.get(kind)
        if listener is None or site not in self._sites:
            return
        try:
            content = messages.decode(message.payload)
        except (ValueError, RecursionError):
            self.fail(f"the test program of site {site} sent a {kind} that is not JSON")
            return
        listener(self, site, content)

    def _heard_status(self, site: str, status: Json) -> None:
        state = str(status.get("state"))
        previous = self._programs.get(site)
        self._programs[site] = state
        if self.state in ("softerror", "error") or self._is_farewell(site, state):
            return
        if state in ("crash", "error"):
            words = {"crash": "crashed", "error": "reported an error"}
            self.fail(f"the test program of site {site} {words[state]} while the master was {self.state}")
        elif state == "idle":
            self._program_is_idle(site, previous)
        elif state == "testing":
            self._program_tests(site)
        elif state == "terminated" and self.state in ("loading", *LOADED):
            self.fail(f"the test program of site {site} terminated while the master was {self.state}")

    def _is_farewell(self, site: str, state: str) -> bool:
        """Whether a program of before the last reset says its last word: none of the present lot can have ended."""
        not_started = self.state in (*CONNECTING, "initialized") or (
            self.state == "loading" and self._controls.get(site) != "busy"
        )
        return state in ("crash", "error", "terminated") and not_started

    def _program_is_idle(self, site: str, previous: str | None) -> None:
        if self.state == "loading":
            if all(self._programs.get(other) == "idle" for other in self._sites):
                self._peer.fire("programs_idle")
        elif self.state in CONNECTING and "master-trips-over-late-states" in self._quirks:
            self.fail(f"the test program of site {site} is idle while the master connects")
        elif self.state in (*TESTING, "ready") and previous not in ("testing", "idle"):
            self.fail(f"bad state transition of the test program of site {site}: {previous} to idle")

    def _program_tests(self, site: str) -> None:
        if self.state not in TESTING or site not in self._touchdown.sites:
            if self.state not in CONNECTING:
                self.fail(f"the test program of site {site} says testing while the master is {self.state}")
            return
        self._touchdown.testing.add(site)
        if self.state == "awaiting_testing" and self._touchdown.all_testing:
            self._peer.fire("all_testing")
            self._review_results()

    def _heard_result(self, site: str, content: Json) -> None:
        records = content.get("payload")
        try:
            part = part_result(records, site, self._touchdown.part_of(site))
            assert isinstance(records, list)
            self._on_result(site, records)
        except ValueError as error:
            self.fail(str(error))
            return
        if self.state not in TESTING:
            if self.state not in ("softerror", "error"):
                self.fail(f"a result of site {site} came while the master was {self.state}")
            return
        if site not in self._touchdown.sites or site in self._touchdown.results:
            self.fail(f"site {site} sent a result that nobody waited for")
            return
        self._touchdown.results[site] = part
        self._relay.review()
        self._review_results()

    def _review_results(self) -> None:
        if self.state == "awaiting_results" and self._touchdown.all_results:
            self._peer.fire("all_results")

    def _heard_summary(self, site: str, content: Json) -> None:
        records = content.get("payload")
        if isinstance(records, list):
            self._on_summary(site, records)

    def _heard_io(self, site: str, content: Json) -> None:
        if self.state in TESTING and site in self._touchdown.waiting:
            self._relay.request(site, content)
        else:
            self._port.record("ignored", what="io-control request", site=site, state=self.state)

    _program_listeners: Mapping[str, Callable[["Master", str, Json], None]] = {
        "status": _heard_status,
        "testresult": _heard_result,
        "testsummary": _heard_summary,
        "io-control": _heard_io,
    }

    # actions of the table -------------------------------------------------------------------------------------------

    def _reset_all(self) -> None:
        self._relay.clear()
        self._touchdown = Touchdown()
        self._controls = {}
        self._programs = {}
        reset = messages.command("reset", self._sites)
        self._port.publish(self._topics.control_cmd, reset)
        self._port.publish(self._topics.program_cmd, reset)

    def _configure_programs(self) -> None:
        self._tell_programs("setloglevel", level=self._loglevel)
        self._tell_programs("getexecutionstrategy", layout=self._layout)

    def _send_next(self) -> None:
        tests = () if self._job is None else self._job.tests
        data = messages.job_data(self.options, self._touchdown.sites_info, tests)
        self._tell_programs("next", self._touchdown.sites, job_data=data)

    def _terminate_programs(self) -> None:
        self._tell_programs("terminate")
