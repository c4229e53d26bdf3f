"""The simulated master of dialect ``semi-ate``.

Rules: everything it decides stands in the MASTER table; what it knows of the sites stands in a Touchdown and in two
dictionaries of last states; a command leaves before the state change it causes is announced; illegal commands of the
handler are soft errors, illegal commands of the operator are refused and journalled.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.semi_ate import MASTER, PERIPHERAL_TIMEOUT_S
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.broker import Message
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.peer import Peer
from drycell.sim.cell.peripherals import PeripheralRelay
from drycell.sim.cell.port import Port
from drycell.sim.cell.touchdown import Touchdown, part_result

Json = dict[str, Any]

CONNECTING = ("connecting", "reconnecting")
TESTING = ("awaiting_testing", "awaiting_results")
LOADED = ("ready", *TESTING)


class Master:
    """One master for ``sites``. ``find_job(lot)`` is its job source, None for an unknown lot.

    ``on_result(site, records)`` and ``on_summary(site, records)`` get the STDF records as they arrive;
    ``on_lot(job)`` and ``on_lot_end()`` frame a lot.
    """

    def __init__(
        self,
        port: Port,
        topics: Topics,
        sites: Sequence[str],
        *,
        find_job: Callable[[str], Job | None],
        timeouts_s: Mapping[str, float],
        quirks: Collection[str] = (),
        on_lot: Callable[[Job], None] = lambda job: None,
        on_result: Callable[[str, list[Json]], None] = lambda site, records: None,
        on_summary: Callable[[str, list[Json]], None] = lambda site, records: None,
        on_lot_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._port = port
        self._topics = topics
        self._sites = tuple(sites)
        self._layout: list[list[int]] = []
        self._find_job = find_job
        self._quirks = quirks
        self._on_lot, self._on_result, self._on_summary, self._on_lot_end = on_lot, on_result, on_summary, on_lot_end
        self._job: Job | None = None
        self._controls: dict[str, str] = {}
        self._programs: dict[str, str] = {}
        self._touchdown = Touchdown()
        self._part_count = 0
        self._subscriptions: list[Callable[[], None]] = []
        self._dead = False
        self.options: dict[str, Json] = {}
        self._relay = PeripheralRelay(
            port,
            topics,
            timeout_s=timeouts_s.get("peripheral_s", PERIPHERAL_TIMEOUT_S),
            quirks=quirks,
            waiting_sites=lambda all_of_them: self._touchdown.sites if all_of_them else self._touchdown.waiting,
            fail=self.fail,
        )
        actions = {
            "reset_all": self._reset_all,
            "load_programs": self._load_programs,
            "configure_programs": self._configure_programs,
            "send_next": self._send_next,
            "answer_handler": self._answer_handler,
            "terminate_programs": self._terminate_programs,
            "close_lot": self._close_lot,
        }
        self._peer = Peer(port, MASTER, actions=actions, announce=self._announce, timeouts_s=timeouts_s)

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self._peer.state

    def start(self) -> None:
        """Connect to the broker: subscribe, reset everybody, wait for the controls."""
        self._subscriptions = [
            self._port.subscribe(self._topics.any_control, self._heard_control),
            self._port.subscribe(self._topics.any_program, self._heard_program),
            self._port.subscribe(self._topics.master_cmd, self._heard_handler),
        ]
        self._peer.fire("connected")

    def die(self) -> None:
        """Be gone, as after SIGKILL: nothing is heard or decided any more, the last will is published."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._dead = True
        self._relay.clear()
        self._peer.machine.stop()
        self._port.record("state", **{"from": self.state, "to": "crash", "event": "killed"})
        self._port.publish(self._topics.master_status, messages.master_status("crash", ""))

    def fail(self, message: str) -> None:
        """Anything that must not happen: soft error with ``message``."""
        if self._peer.machine.can("fail") and not self._dead:
            self._relay.clear()
            if self.state == "softerror" and "master-hides-message" in self._quirks:
                return
            self._peer.fire("fail", message)

    # commands ------------------------------------------------------------------------------------------------------

    def operator(self, name: str, payload: Json) -> None:
        """A command from the operator's screen. Illegal ones are refused and journalled, without any state change."""
        self._port.record("operator", command=name, **({"payload": payload} if payload else {}))
        if self._dead:
            self._port.record("refused", command=name, state="crash")
            return
        direct: Mapping[str, Callable[[Json], None]] = {
            "usersettings": self._set_options,
            "setloglevel": lambda p: self._tell_programs("setloglevel", level=int(p["level"])),
            "binMap": lambda p: self._tell_programs("sethbin", sbin=int(p["sBin"]), hbin=int(p["hBin"])),
            "setparameter": lambda p: self._tell_programs("setparameter", parameters=p["parameters"]),
        }
        if name in direct:
            direct[name](payload)
        elif name in self._commands and self._peer.machine.can(name):
            self._commands[name](self, payload)
        else:
            self._port.record("refused", command=name, state=self.state)

    def _heard_handler(self, message: Message) -> None:
        try:
            request = messages.decode(message.payload)
            name, payload = str(request["type"]), dict(request.get("payload") or {})
        except (ValueError, KeyError, TypeError, RecursionError):
            self.fail("the handler sent a command that is not understood")
            return
        if name in self._queries:
            self._queries[name](self, payload)
        elif name not in self._commands:
            self.fail(f"the handler sent the unknown command {name!r}")
        elif not self._peer.machine.can(name) and self.state == "softerror":
            self._port.record("refused", command=name, state=self.state)
        elif not self._peer.machine.can(name):
            self.fail(f"the handler sent {name} while the master was {self.state}")
        else:
            try:
                self._commands[name](self, payload)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.fail(f"the handler sent {name} not of the agreed form ({type(error).__name__}: {error})")

    def _command_load(self, payload: Json) -> None:
        lot = str(payload.get("lot_number", ""))
        self._job = self._find_job(lot)
        self.options = {}
        self._programs = {}
        self._touchdown = Touchdown()
        self._peer.fire("load")
        if self._job is None:
            self._peer.fire("load_refused", f"Failed to execute load command: no job for lot {lot!r}")

    def _command_next(self, payload: Json) -> None:
        infos = payload.get("sites") or [self._numbered(site) for site in self._sites]
        sites = tuple(str(info.get("siteid")) for info in infos)
        self._touchdown = Touchdown(sites, infos)
        self._relay.clear()
        strangers = [site for site in sites if site not in self._sites]
        if strangers:
            if "master-sends-next-for-unknown-site" in self._quirks:
                self._send_next()
            self.fail(f"the handler asked for unknown sites {', '.join(strangers)}")
            return
        self._peer.fire("next")

    def _numbered(self, site: str) -> Json:
        """Without a handler, devices are numbered in the order of their sites."""
        self._part_count += 1
        return {"siteid": site, "partid": str(self._part_count), "binning": -1}

    _commands: Mapping[str, Callable[["Master", Json], None]] = {
        "load": _command_load,
        "next": _command_next,
        "unload": lambda self, payload: self._peer.fire("unload"),
        "reset": lambda self, payload: self._peer.fire("reset"),
    }
    _queries: Mapping[str, Callable[["Master", Json], None]] = {
        "identify": lambda self, payload: self._respond("identify", {"name": self._topics.device}),
        "get-state": lambda self, payload: self._respond(
            "get-state", {"state": MASTER.published.get(self.state, self.state), "message": self._peer.message}
        ),
        "get-host": lambda self, payload: self._respond("get-host", {"host": "localhost", "port": 0}),
        "site-layout": lambda self, payload: setattr(self, "_layout", payload.get("sites", [])),
        "temperature": lambda self, payload: None,
    }

    # what the others say -------------------------------------------------------------------------------------------

    def _heard_control(self, message: Message) -> None:
        site = site_of(message.topic)
        if "/Control/status/" not in message.topic or site not in self._sites:
            return
        try:
            status = messages.decode(message.payload)
            state, reason = str(status["payload"]["state"]), str(status["payload"].get("error_message", ""))
            version = status.get("interface_version", 1)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.fail(f"the control of site {site} sent a status that is not understood")
            return
        if version != 1 and self.state in CONNECTING:
            self._peer.fire("wrong_version", f"the control of site {site} has interface version {version}, not 1")
            return
        self._controls[site] = state
        self._judge_control(site, state, reason)

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

    # actions of the table ------------------------------------------------------------------------------------------

    def _reset_all(self) -> None:
        self._relay.clear()
        self._touchdown = Touchdown()
        self._controls = {}
        self._programs = {}
        reset = messages.command("reset", self._sites)
        self._port.publish(self._topics.control_cmd, reset)
        self._port.publish(self._topics.program_cmd, reset)

    def _load_programs(self) -> None:
        if self._job is None:
            return
        try:
            self._on_lot(self._job)
        except ValueError as error:
            text = str(error)
            self._port.later(0, lambda: self.fail(text))  # not from within the transition to loading
            return
        load = messages.command("loadTest", self._sites)
        load["testapp_params"] = self._job.testapp_params()
        self._port.publish(self._topics.control_cmd, load)

    def _configure_programs(self) -> None:
        self._tell_programs("setloglevel", level=30)
        self._tell_programs("getexecutionstrategy", layout=self._layout)

    def _send_next(self) -> None:
        tests = () if self._job is None else self._job.tests
        data = messages.job_data(self.options, self._touchdown.sites_info, tests)
        self._tell_programs("next", self._touchdown.sites, job_data=data)

    def _answer_handler(self) -> None:
        self._respond("next", {"sites": self._touchdown.answer()})

    def _terminate_programs(self) -> None:
        self._tell_programs("terminate")

    def _close_lot(self) -> None:
        self._on_lot_end()
        self._job = None

    def _set_options(self, payload: Json) -> None:
        if self.state not in ("initialized", "ready"):
            self._port.record("refused", command="usersettings", state=self.state)
            return
        self.options = {
            entry["name"]: {"active": entry["active"], "value": entry["value"]} for entry in payload["payload"]
        }

    def _tell_programs(self, name: str, sites: Sequence[str] | None = None, **extra: Any) -> None:
        self._port.publish(self._topics.program_cmd, messages.command(name, sites or self._sites, **extra))

    def _respond(self, kind: str, payload: Json) -> None:
        self._port.publish(self._topics.master_response, messages.typed(kind, payload))

    def _announce(self, state: str, message: str) -> None:
        self._port.publish(self._topics.master_status, messages.master_status(state, message or None))
