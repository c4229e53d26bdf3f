"""What the masters of every dialect share: commands of handler and operator, the controls, the way to peripherals.

Rules: everything a master decides stands in the table of its dialect; a command leaves before the state change it
causes is announced; illegal commands of the handler are soft errors, illegal commands of the operator are refused and
journalled.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.broker import Message
from drycell.sim.cell.deeds import Owner
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.peer import Peer
from drycell.sim.cell.port import Port
from drycell.sim.cell.reach import Reach
from drycell.sim.cell.touchdown import Touchdown

Json = dict[str, Any]

CONNECTING = ("connecting", "reconnecting")


class Relay(Protocol):
    """A master's way to the peripherals."""

    def clear(self) -> None:
        """Forget everything that was asked."""


class BaseMaster(ABC):
    """One master for ``sites``. ``find_job(lot)`` is its job source, None for an unknown lot.

    ``on_result(site, records)`` and ``on_summary(site, records)`` get the STDF records as they arrive;
    ``on_lot(job)`` and ``on_lot_end()`` frame a lot. ``own`` has the peripherals that the master drives itself.
    """

    dialect: ClassVar[Dialect]
    """Which protocol it speaks."""

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
        own: Owner | None = None,
    ) -> None:
        self._port = port
        self._topics = topics
        self._reach = Reach(port, topics, own)
        self._sites = tuple(sites)
        self._layout: list[list[int]] = []
        self._find_job = find_job
        self._quirks = quirks
        self._on_lot, self._on_result, self._on_summary, self._on_lot_end = on_lot, on_result, on_summary, on_lot_end
        self._job: Job | None = None
        self._controls: dict[str, str] = {}
        self._touchdown = Touchdown()
        self._part_count = 0
        self._subscriptions: list[Callable[[], None]] = []
        self._dead = False
        self.options: dict[str, Json] = {}
        self._timeouts_s = {**self.dialect.deadlines_s, **timeouts_s}
        actions = {
            "reset_all": self._reset_all,
            "load_programs": self._load_programs,
            "send_next": self._send_next,
            "answer_handler": self._answer_handler,
            "terminate_programs": self._terminate_programs,
            "close_lot": self._close_lot,
            **self._own_actions(),
        }
        self._table = self.dialect.tables["master"]
        self._peer = Peer(port, self._table, actions=actions, announce=self._announce, timeouts_s=timeouts_s)

    # what dialects do differently ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _relay(self) -> Relay:
        """The way to the peripherals."""

    @abstractmethod
    def _own_actions(self) -> Mapping[str, Callable[[], None]]:
        """The actions that only this dialect's table has."""

    @abstractmethod
    def _own_commands(self) -> Mapping[str, Callable[[Json], None]]:
        """Commands of the operator that go on to the programs."""

    @abstractmethod
    def fail(self, message: str) -> None:
        """Anything that must not happen: soft error with ``message``."""

    @abstractmethod
    def _judge_control(self, site: str, state: str, reason: str) -> None:
        """The control of ``site`` has announced ``state``."""

    @abstractmethod
    def _wrong_version(self, text: str) -> None:
        """A control speaks another version of the protocol."""

    @abstractmethod
    def _forget_programs(self) -> None:
        """What was known of the programs of the lot before is void."""

    @abstractmethod
    def _refuse_strangers(self, text: str) -> None:
        """The handler asked for sites that the cell does not have."""

    @abstractmethod
    def _heard_program(self, message: Message) -> None:
        """A test program has said something."""

    @abstractmethod
    def _reset_all(self) -> None:
        """Everybody begins anew."""

    @abstractmethod
    def _send_next(self) -> None:
        """The devices of the touchdown are to be tested."""

    @abstractmethod
    def _terminate_programs(self) -> None:
        """The lot is over for the programs."""

    # life ----------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self._peer.state

    def start(self) -> None:
        """Connect to the broker: subscribe, reset everybody, wait for the controls."""
        self._subscriptions = [
            self._port.subscribe(self._topics.any_control, self._heard_control),
            *(self._port.subscribe(topics, self._heard_program) for topics in self._topics.heard_program),
            self._port.subscribe(self._topics.master_cmd, self._heard_handler),
        ]
        self._peer.fire("connected")

    @property
    def dead(self) -> bool:
        """Whether it died."""
        return self._dead

    def die(self) -> None:
        """Be gone, as after SIGKILL: nothing is heard or decided any more, the last will is published."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._dead = True
        self._relay.clear()
        self._peer.machine.stop()
        self._port.record("state", **{"from": self.state, "to": "crash", "event": "killed"})
        self._port.publish(self._topics.master_status, messages.master_status("crash", ""))

    # commands ------------------------------------------------------------------------------------------------------

    def operator(self, name: str, payload: Json) -> None:
        """A command from the operator's screen. Illegal ones are refused and journalled, without any state change."""
        self._port.record("operator", command=name, **({"payload": payload} if payload else {}))
        if self._dead:
            self._port.record("refused", command=name, state="crash")
            return
        direct = {"usersettings": self._set_options, **self._own_commands()}
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
        self._forget_programs()
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
            self._refuse_strangers(f"the handler asked for unknown sites {', '.join(strangers)}")
            return
        self._peer.fire("next")

    def _numbered(self, site: str) -> Json:
        """Without a handler, devices are numbered in the order of their sites."""
        self._part_count += 1
        return {"siteid": site, "partid": str(self._part_count), "binning": -1}

    _commands: Mapping[str, Callable[["BaseMaster", Json], None]] = {
        "load": _command_load,
        "next": _command_next,
        "unload": lambda self, payload: self._peer.fire("unload"),
        "reset": lambda self, payload: self._peer.fire("reset"),
    }
    _queries: Mapping[str, Callable[["BaseMaster", Json], None]] = {
        "identify": lambda self, payload: self._respond("identify", {"name": self._topics.device}),
        "get-state": lambda self, payload: self._respond(
            "get-state", {"state": self._table.published.get(self.state, self.state), "message": self._peer.message}
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
            self._wrong_version(f"the control of site {site} has interface version {version}, not 1")
            return
        self._controls[site] = state
        self._judge_control(site, state, reason)

    # actions of the table -------------------------------------------------------------------------------------------

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

    def _answer_handler(self) -> None:
        self._respond("next", {"sites": self._touchdown.answer()})

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
