"""The simulated handler or prober: loads a lot, asks for touchdowns, sorts by the bins it is told.

A prober is a handler with a plan of wafers and longer pauses between them; the protocol is the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.semi_ate import HANDLER
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.lot import Lot, Place, Touch
from drycell.sim.cell.peer import Peer
from drycell.sim.cell.port import Port
from drycell.sim.cell.testhead import TestHead

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Motion:
    """How long the mechanics take: from one touchdown to the next, and to change the wafer."""

    index_time_s: float
    change_time_s: float = 0.0


class Handler:
    """Works through ``lots`` on ``sites``; ``on_done()`` after the last lot, ``on_error()`` on entering error.

    ``true_values(device)``: what the device of that number really is, for the journal alone.
    """

    def __init__(
        self,
        port: Port,
        topics: Topics,
        lots: Sequence[Lot],
        *,
        sites: Sequence[int],
        layout: Mapping[int, tuple[int, int]],
        head: TestHead,
        true_values: Callable[[int], Mapping[str, float]],
        motion: Motion,
        timeouts_s: Mapping[str, float],
        quirks: Collection[str] = (),
        on_done: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        self._port = port
        self._topics = topics
        self._waiting = list(lots)
        self._sites = tuple(sites)
        self._layout = layout
        self._head = head
        self._true_values = true_values
        self._motion = motion
        self._qos = 0 if "handler-commands-qos-0" in quirks else 2
        self._on_done, self._on_error = on_done, on_error
        self._in_error = False
        self._touch: Touch = {}
        self._place = Place()
        self._touchdowns = 0
        self._answer: list[Json] = []
        self._jammed = False
        self._stuck: list[tuple[str, str]] = []
        self._misplaced: dict[int, tuple[int, int]] = {}
        self._open: dict[int, int] = {}
        self._wrong_name: tuple[str, Callable[[], None]] | None = None
        actions: dict[str, Callable[[], None]] = {
            "send_layout": lambda: self._send("site-layout", {"sites": [list(layout[site]) for site in self._sites]}),
            "send_load": self._send_load,
            "send_next": self._send_next,
            "send_unload": lambda: self._send("unload", {}),
            "contact": self._contact,
            "sort": self._sort,
            "finish_lot": self._finish_lot,
            "note_refusal": self._note_refusal,
            "release": self._release,
        }
        self._peer = Peer(port, HANDLER, actions=actions, announce=self._announce, timeouts_s=timeouts_s)

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self._peer.state

    @property
    def lot(self) -> Lot:
        """The lot in work."""
        return self._waiting[0]

    def start(self) -> None:
        """Connect to the broker."""
        self._port.subscribe(self._topics.master_status, self._heard_status)
        self._port.subscribe(self._topics.master_response, self._heard_response)
        self._peer.fire("connected")

    # faults --------------------------------------------------------------------------------------------------------

    def jam(self) -> None:
        """The mechanics stand still from now on."""
        self._jammed = True

    def free(self) -> None:
        """The mechanics move again; what was due meanwhile happens now."""
        self._jammed = False
        waiting, self._stuck = self._stuck, []
        for state, event in waiting:
            self._go(state, event)

    def misplace(self, site: int, shift: int, touchdowns: int) -> None:
        """In the next ``touchdowns``, ``site`` gets the device ``shift`` places further on than it believes."""
        self._misplaced[site] = (shift, touchdowns)

    def lose_contact(self, site: int, touchdowns: int) -> None:
        """In the next ``touchdowns``, nothing touches ``site``."""
        self._open[site] = touchdowns

    def say_wrong_lot(self, name: str, when_said: Callable[[], None]) -> None:
        """The next lot is loaded under this name."""
        self._wrong_name = name, when_said

    def part_at(self, site: str) -> str | None:
        """The part id that the handler believes at ``site``."""
        device = self._touch.get(int(site)) if site.isdecimal() else None
        return None if device is None else self.lot.part(device)

    @property
    def lot_name(self) -> str | None:
        """The name of the lot in work; None when all are done."""
        return self._waiting[0].name if self._waiting else None

    def _really(self) -> Touch:
        """What touches the sites in truth: the plan, but for faults."""
        found = dict(self._touch)
        for site, (shift, left) in list(self._misplaced.items()):
            if site in found:
                found[site] = (found[site] - 1 + shift) % self.lot.size + 1
                self._misplaced.pop(site)
                if left > 1:
                    self._misplaced[site] = (shift, left - 1)
        for site, left in list(self._open.items()):
            if found.pop(site, None) is not None:
                self._open.pop(site)
                if left > 1:
                    self._open[site] = left - 1
        return found

    # what the master says ------------------------------------------------------------------------------------------

    _events_of_master: Mapping[str, str] = {
        "initialized": "master_initialized",
        "ready": "master_ready",
        "connecting": "master_connecting",
        "softerror": "master_failed",
        "error": "master_failed",
        "crash": "master_failed",
    }
    _states_that_listen: Mapping[str, tuple[str, ...]] = {
        "master_initialized": ("connecting", "loading", "unloading", "recovering", "error"),
        "master_ready": ("loading",),
        "master_connecting": ("error",),
    }

    def _heard_status(self, message: Message) -> None:
        try:
            status = messages.decode(message.payload)
            state, words = str(status["state"]), str(status["payload"].get("message") or "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._fail("the master sent a status that is not understood")
            return
        event = self._events_of_master.get(state)
        if event is None or self.state not in self._states_that_listen.get(event, (self.state,)):
            return
        self._peer.fire(event, words)
        if self.state == "initialized" and self._waiting:
            self._port.later(self._motion.index_time_s, lambda: self._go("initialized", "load"))
        elif self.state == "ready":
            self._schedule_touchdown()

    def _heard_response(self, message: Message) -> None:
        try:
            response = messages.decode(message.payload)
            if response.get("type") != "next" or self.state != "testing":
                return
            sites = response["payload"]["sites"]
            if not isinstance(sites, list):
                raise TypeError(sites)
            self._answer = [
                {
                    "siteid": str(_whole(entry["siteid"])),
                    "partid": str(entry["partid"]),
                    "binning": _whole(entry["binning"]),
                }
                for entry in sites
            ]
        except (ValueError, KeyError, TypeError, RecursionError):
            self._fail("the master sent an answer that is not understood")
            return
        self._peer.fire("binned")
        self._schedule_touchdown()

    def _fail(self, message: str) -> None:
        self._peer.fire("fail", message)

    def _schedule_touchdown(self) -> None:
        self._touch = self.lot.next_touch(self._sites)
        place = self.lot.places.get(next(iter(self._touch.values()), 0), Place())
        changes = place.wafer is not None and place.wafer != self._place.wafer
        self._place = place
        pause_s = self._motion.index_time_s + (self._motion.change_time_s if changes else 0.0)
        self._port.later(pause_s, lambda: self._go("ready", "touchdown" if self._touch else "lot_end"))

    def _go(self, state: str, event: str) -> None:
        """Fire ``event``, unless something went wrong while the mechanics moved."""
        if self._jammed:
            self._stuck.append((state, event))
        elif self.state == state:
            self._peer.fire(event)

    # actions of the table ------------------------------------------------------------------------------------------

    def _contact(self) -> None:
        self._touchdowns += 1
        really = self._really()
        self._head.touch(really)
        sites = []
        for site, device in self._touch.items():
            entry: Json = {"site": str(site), "device": device, "part": self.lot.part(device)}
            if really.get(site) != device:
                entry["really"] = really.get(site)
            place = self.lot.places.get(device)
            if place is not None:
                told = {"wafer": place.wafer, "x": place.x, "y": place.y}
                entry |= {key: value for key, value in told.items() if value is not None}
            if site in really:
                entry["true"] = dict(self._true_values(really[site]))
            sites.append(entry)
        self._port.record("contact", lot=self.lot.name, touchdown=self._touchdowns, sites=sites)
        for entry in sites:
            if "really" in entry:
                self._port.record("effect", fault="misplaced", site=entry["site"], really=entry["really"])

    def _send_load(self) -> None:
        name, when_said = self._wrong_name or (self.lot.name, lambda: None)
        self._wrong_name = None
        when_said()
        self._send("load", {"lot_number": name, "devicetype": "", "temperature": "25"})

    def _send_next(self) -> None:
        infos = [
            {
                "siteid": str(site),
                "partid": self.lot.part(device),
                "binning": -1,
                "logflag": 0,
                "additionalinfo": "",
            }
            for site, device in self._touch.items()
        ]
        self._send("next", {"sites": infos})

    def _sort(self) -> None:
        for entry in self._answer:
            device = self._touch.get(int(entry["siteid"]))
            if device is None or self.lot.part(device) != entry["partid"]:
                where = f"site {entry['siteid']}, where device {device} is"
                self._port.record("problem", text=f"the master binned part {entry['partid']} on {where}")
                continue
            self.lot.sort(device, entry["binning"])
            self._port.record(
                "sorted",
                lot=self.lot.name,
                site=entry["siteid"],
                device=device,
                part=entry["partid"],
                hard_bin=entry["binning"],
                attempt=self.lot.attempts[device],
            )
        self._lift()

    def _lift(self) -> None:
        self._head.lift()
        self._touch = {}

    def _release(self) -> None:
        """After an error: the devices in contact have no bin yet and are tested again."""
        self.lot.put_back({s: d for s, d in self._touch.items() if d not in self.lot.bins})
        self._lift()

    def _finish_lot(self) -> None:
        self._port.record("lot", lot=self.lot.name, devices=self.lot.size, touchdowns=self._touchdowns)
        self._waiting.pop(0)
        if not self._waiting:
            self._on_done()

    def _note_refusal(self) -> None:
        self._port.record("problem", text=f"the master refused lot {self.lot.name}: {self._peer.message}")

    def _send(self, kind: str, payload: Json) -> None:
        self._port.publish(self._topics.master_cmd, messages.typed(kind, payload), qos=self._qos)

    def _announce(self, state: str, message: str) -> None:
        self._port.publish(self._topics.handler_status, messages.handler_status(state, message))
        if state == "error" and not self._in_error:
            self._on_error()
        self._in_error = state == "error"


def _whole(number: Any) -> int:
    """A site or bin as a number. Raises TypeError for what only looks like one: true, or a number with a fraction."""
    if isinstance(number, bool | float):
        raise TypeError(number)
    return int(number)
