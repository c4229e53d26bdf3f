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
    """Works through ``lots`` on ``sites``; ``on_done()`` after the last lot, ``on_error()`` on entering error."""

    def __init__(
        self,
        port: Port,
        topics: Topics,
        lots: Sequence[Lot],
        *,
        sites: Sequence[int],
        layout: Mapping[int, tuple[int, int]],
        head: TestHead,
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
        self._motion = motion
        self._qos = 0 if "handler-commands-qos-0" in quirks else 2
        self._on_done, self._on_error = on_done, on_error
        self._touch: Touch = {}
        self._place = Place()
        self._touchdowns = 0
        self._answer: list[Json] = []
        actions: dict[str, Callable[[], None]] = {
            "send_layout": lambda: self._send("site-layout", {"sites": [list(layout[site]) for site in self._sites]}),
            "send_load": lambda: self._send(
                "load", {"lot_number": self.lot.name, "devicetype": "", "temperature": "25"}
            ),
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
        "master_initialized": ("connecting", "loading", "unloading", "recovering"),
        "master_ready": ("loading",),
        "master_connecting": ("error",),
    }

    def _heard_status(self, message: Message) -> None:
        status = messages.decode(message.payload)
        event = self._events_of_master.get(status["state"])
        if event is None or self.state not in self._states_that_listen.get(event, (self.state,)):
            return
        was_error = self.state == "error"
        self._peer.fire(event, str(status["payload"].get("message") or ""))
        if self.state == "initialized" and self._waiting:
            self._port.later(self._motion.index_time_s, lambda: self._go("initialized", "load"))
        elif self.state == "ready":
            self._schedule_touchdown()
        elif self.state == "error" and not was_error:
            self._on_error()

    def _heard_response(self, message: Message) -> None:
        response = messages.decode(message.payload)
        if response.get("type") != "next" or self.state != "testing":
            return
        self._answer = response["payload"]["sites"]
        self._peer.fire("binned")
        self._schedule_touchdown()

    def _schedule_touchdown(self) -> None:
        self._touch = self.lot.next_touch(self._sites)
        place = self.lot.places.get(next(iter(self._touch.values()), 0), Place())
        changes = place.wafer is not None and place.wafer != self._place.wafer
        self._place = place
        pause_s = self._motion.index_time_s + (self._motion.change_time_s if changes else 0.0)
        self._port.later(pause_s, lambda: self._go("ready", "touchdown" if self._touch else "lot_end"))

    def _go(self, state: str, event: str) -> None:
        """Fire ``event``, unless something went wrong while the mechanics moved."""
        if self.state == state:
            self._peer.fire(event)

    # actions of the table ------------------------------------------------------------------------------------------

    def _contact(self) -> None:
        self._touchdowns += 1
        self._head.touch(self._touch)
        sites = []
        for site, device in self._touch.items():
            entry: Json = {"site": str(site), "device": device, "part": str(device)}
            place = self.lot.places.get(device)
            if place is not None:
                entry |= {"wafer": place.wafer, "x": place.x, "y": place.y}
            sites.append(entry)
        self._port.record("contact", lot=self.lot.name, touchdown=self._touchdowns, sites=sites)

    def _send_next(self) -> None:
        infos = [
            {"siteid": str(site), "partid": str(device), "binning": -1, "logflag": 0, "additionalinfo": ""}
            for site, device in self._touch.items()
        ]
        self._send("next", {"sites": infos})

    def _sort(self) -> None:
        for entry in self._answer:
            device = self._touch.get(int(entry["siteid"]))
            if device is None or str(device) != entry["partid"]:
                where = f"site {entry['siteid']}, where device {device} is"
                self._port.record("problem", text=f"the master binned part {entry['partid']} on {where}")
                continue
            self.lot.sort(device, int(entry["binning"]))
            self._port.record(
                "sorted",
                lot=self.lot.name,
                site=entry["siteid"],
                device=device,
                part=entry["partid"],
                hard_bin=int(entry["binning"]),
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
