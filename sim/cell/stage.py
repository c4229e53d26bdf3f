"""The stage of a live cell: what faults can reach (see :mod:`drycell.sim.faults.stage`).

Rule: a fault that finds nothing to strike (no program runs, the broker is already gone) leaves a note in the journal
and does nothing.
"""

import asyncio
import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.machine import Cancel
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.broker import AnyBroker, MemoryClient, Message
from drycell.sim.cell.base_master import BaseMaster
from drycell.sim.cell.control import Control
from drycell.sim.cell.handler import Handler
from drycell.sim.cell.programs import HinderedPrograms, ModelPrograms, ProcessPrograms
from drycell.sim.cell.seams import Seams
from drycell.sim.cell.stdf_file import StdfFile
from drycell.sim.cell.tcc import TestCellController
from drycell.sim.errors import DrycellError
from drycell.sim.faults import (
    Devices,
    Files,
    Floor,
    Links,
    MessageRule,
    Packet,
    PacketRule,
    Programs,
    ReplyRule,
    Stage,
)
from drycell.sim.faults.select import content_of, kind_of, state_in
from drycell.sim.hooks import Device, Population
from drycell.sim.kernel import NS_PER_S, Event, Kernel, ns, stream

if TYPE_CHECKING:
    from drycell.sim.cell.cell import Cell

_IN_WORK = 64
"""Devices that are kept at hand: those in contact are asked for at every measurement."""


@dataclass(frozen=True, slots=True)
class _Lasting:
    """A fault that goes on: noted at each contact of its site."""

    fault: str
    step: int
    site: str
    until_ns: int | None
    until_exit: bool


class Hands:
    """What the stages of one cell share: the peers, the seams, and how many repairs are still to come."""

    def __init__(self, cell: "Cell", kernel: Kernel, broker: AnyBroker, topics: Topics, seams: Seams) -> None:
        self.cell = cell
        self.kernel = kernel
        self.broker = broker
        self.topics = topics
        self.seams = seams
        self.pending = 0
        self.dialect = cell.protocol
        self.deadlines_ns: dict[str, int] = {}
        self.lasting: list[_Lasting] = []
        self.results_ns = ns({**self.dialect.timeouts_s, **cell.timeouts_s}["results_s"])
        if self.dialect.stdf.fragments:
            kernel.journal.watch(partial(_of_each_site, self), "message")
        else:
            kernel.journal.watch(partial(_of_all_sites, self), "state")
        kernel.journal.watch(self._exited, "exit")
        kernel.journal.watch(self._contacted, "contact")

    def _exited(self, event: Event) -> None:
        site = event.actor.removeprefix("program")
        self.lasting = [entry for entry in self.lasting if not (entry.until_exit and entry.site == site)]

    def _contacted(self, event: Event) -> None:
        if self.lasting:
            self.kernel.loop.call_soon(self._remind, [entry["site"] for entry in event.fields["sites"]])

    def _remind(self, sites: Sequence[str]) -> None:
        now_ns = self.kernel.now_ns
        self.lasting = [entry for entry in self.lasting if entry.until_ns is None or now_ns < entry.until_ns]
        for entry in self.lasting:
            if entry.site in sites:
                self.note(fault=entry.fault, step=entry.step, site=entry.site, lasts=True)

    def later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        """Call ``action`` later; until then the cell is not given up."""

        def due() -> None:
            self.pending -= 1
            action()

        self.pending += 1
        return self.kernel.later(ns(delay_s), due)

    def note(self, **fields: Any) -> None:
        self.kernel.journal.record("effect", "timeline", **fields)

    def stage(self, fault: str, index: int, draws_as: int | None) -> "CellStage":
        """The stage for one injection."""
        return CellStage(self, fault, index, draws_as or index)


def _of_all_sites(hands: Hands, event: Event) -> None:
    """The master waits for all results together, from the time when every site tests."""
    if event.actor == "master":
        waits = event.fields["to"] == "awaiting_results"
        sites = [str(site) for site in hands.cell.sites] if waits else []
        hands.deadlines_ns = dict.fromkeys(sites, event.t_ns + hands.results_ns)


def _of_each_site(hands: Hands, event: Event) -> None:
    """The master waits for each site by itself, from the time when it tests."""
    if kind_of(hands.topics, event.fields["topic"]) != "status":
        return
    site = site_of(event.fields["topic"])
    if state_in(content_of(event.fields.get("payload", "").encode())) == "testing":
        hands.deadlines_ns[site] = event.t_ns + hands.results_ns
    else:
        hands.deadlines_ns.pop(site, None)


class CellStage(Stage):
    """One injection's view of the cell; its random stream is ``(seed, "fault", name, draws_as)``."""

    def __init__(self, hands: Hands, fault: str, index: int, draws_as: int) -> None:
        cell = hands.cell
        self._hands = hands
        self._fault = fault
        self._index = index
        self._draws_as = draws_as
        self._random: np.random.Generator | None = None
        self.programs: Programs = StagePrograms(hands)
        self.links: Links = StageLinks(hands)
        self.floor: Floor = StageFloor(hands)
        self.files: Files = StageFiles(hands)
        self.devices: Devices = cell.devices

    @property
    def now_ns(self) -> int:
        return self._hands.kernel.now_ns

    @property
    def topics(self) -> Topics:
        return self._hands.topics

    @property
    def random(self) -> np.random.Generator:
        if self._random is None:
            self._random = stream(self._hands.cell.seed, "fault", self._fault, self._draws_as)
        return self._random

    def later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        return self._hands.later(delay_s, action)

    def note(self, **fields: Any) -> None:
        self._hands.note(fault=self._fault, step=self._index, **fields)

    def lasts(self, site: int, for_s: float | None = None, *, until_exit: bool = True) -> None:
        until_ns = None if for_s is None else self.now_ns + ns(for_s)
        self._hands.lasting.append(_Lasting(self._fault, self._index, str(site), until_ns, until_exit))

    def part_at(self, site: str) -> str | None:
        return self._hands.cell.handler.part_at(site)

    def asked_site(self, instrument: str, question: str) -> str:
        return self._hands.cell.instruments[instrument].site_of(question)

    @property
    def dialect(self) -> Dialect:
        return self._hands.dialect

    def result_deadline_ns(self, site: str) -> int | None:
        return self._hands.deadlines_ns.get(site)

    def on_messages(self, rule: MessageRule) -> None:
        self._hands.seams.on_messages(rule, self._comes_late)

    def _comes_late(self, message: Message, delay_ns: int) -> None:
        """A late message is an effect once more: a nanosecond before it comes, so that the journal has this first."""
        note = partial(self.note, topic=message.topic, late_s=delay_ns / NS_PER_S)
        self.later((delay_ns - 1) / NS_PER_S, note)

    def on_packets(self, rule: PacketRule) -> None:
        self._hands.seams.on_packets(rule)

    def on_replies(self, rule: ReplyRule) -> None:
        self._hands.seams.on_replies(rule)


class StagePrograms:
    """The test programs, modelled or real."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._inner: ModelPrograms | ProcessPrograms = hands.cell.programs
        self._hindered: HinderedPrograms = hands.cell.hindered

    def signal(self, site: int, name: str, last_words: str = "") -> None:
        if last_words:
            self._inner.endings.forge(str(site), None, last_words)
        if not self._inner.signal(str(site), signal.Signals[name]):
            self._nobody(site)

    def exit(self, site: int, code: int, last_words: str) -> None:
        if not self._inner.end(str(site), code, last_words):
            self._nobody(site)

    def exit_code(self, site: int, code: int, last_words: str) -> None:
        self._inner.endings.forge(str(site), code, last_words)

    def freeze(self, site: int) -> None:
        self.signal(site, "SIGSTOP")

    def thaw(self, site: int) -> None:
        self.signal(site, "SIGCONT")

    def flood(self, site: int, count: int) -> None:
        if not self._inner.write_error(str(site), count):
            self._nobody(site)

    def hinder(self, site: int, delay_s: float | None) -> None:
        name = "never_attaches" if delay_s is None else "slow_start"
        self._hindered.hinder(str(site), delay_s, partial(self._hands.note, fault=name, site=str(site)))
        if delay_s is None:
            self._hands.seams.on_packets(partial(self._barred, str(site)))

    def _barred(self, site: str, packet: Packet) -> Sequence[tuple[int, bytes]] | None:
        name = f"testapp.{self._hands.topics.device}.{site}".encode()
        is_its = packet.kind == "CONNECT" and packet.inbound and name in packet.raw
        return [] if is_its and self._hindered.is_barred(site) else None

    def abandon(self, site: int) -> None:
        control: Control = self._hands.cell.control(site)
        control.die()

    def _nobody(self, site: int) -> None:
        self._hands.note(missed=f"no program runs on site {site}")


class StageLinks:
    """The programs' connections and the broker."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._broker = hands.broker

    def _client_id(self, site: int) -> str:
        return f"testapp.{self._hands.topics.device}.{site}"

    def _drop(self, site: int, *, silent: bool) -> None:
        if not self._broker.running or not self._broker.drop(self._client_id(site), silent=silent):
            self._hands.note(missed=f"the program of site {site} is not connected")

    def cut(self, site: int) -> None:
        self._drop(site, silent=False)

    def half_open(self, site: int) -> None:
        self._drop(site, silent=True)

    def take_over(self, site: int, times: int, once_more: Callable[[], None]) -> None:
        left = times

        def connect() -> None:
            nonlocal left
            if left > 0 and self._broker.running:
                left -= 1
                clients.append(self._broker.connect(self._client_id(site), on_close=lambda *_: again()))

        def again() -> None:
            if left > 0:
                self._hands.later(1.0, connect_again)

        def connect_again() -> None:
            once_more()
            connect()

        clients: list[MemoryClient] = []
        connect()

    def outage(self, for_s: float) -> None:
        if not self._broker.running:
            self._hands.note(missed="the broker is already gone")
            return
        task = asyncio.get_running_loop().create_task(self._stop())
        self._hands.cell.tasks.append(task)
        self._hands.later(for_s, self._restart)

    async def _stop(self) -> None:
        self._broker.keep_port()
        await self._broker.stop()
        self._hands.note(fault="broker_outage", broker="stopped")

    def _restart(self) -> None:
        self._hands.cell.tasks.append(asyncio.get_running_loop().create_task(self._start()))

    async def _start(self) -> None:
        await self._broker.start()
        self._hands.note(fault="broker_outage", broker="started")
        for port in self._hands.cell.ports:
            port.resume()


class StageFloor:
    """Handler, master, TCC and operator."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    @property
    def _handler(self) -> Handler:
        return self._hands.cell.handler

    def operator(self, command: str, payload: Mapping[str, Any]) -> None:
        self._hands.cell.operator(command, dict(payload))

    def jam(self, for_s: float | None) -> None:
        self._handler.jam()
        if for_s is not None:
            self._hands.later(for_s, self._handler.free)

    def misplace(self, site: int, shift: int, touchdowns: int) -> None:
        self._handler.misplace(site, shift, touchdowns)

    def lose_contact(self, site: int, touchdowns: int) -> None:
        self._handler.lose_contact(site, touchdowns)

    def wrong_lot(self, lot: str) -> None:
        self._handler.say_wrong_lot(lot, partial(self._hands.note, fault="wrong_lot", lot=lot))

    def restart_master(self, down_s: float) -> None:
        master: BaseMaster = self._hands.cell.master
        if master.dead:
            self._hands.note(missed="the master is already gone")
            return
        master.die()
        self._hands.later(down_s, self._hands.cell.new_master)

    def stop_tcc(self, for_s: float | None) -> None:
        tcc: TestCellController = self._hands.cell.tcc
        if not tcc.running:
            self._hands.note(missed="the test cell controller is already gone")
            return
        tcc.stop()
        if for_s is not None:
            self._hands.later(for_s, tcc.start)


class StageFiles:
    """The lot's STDF file."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._stdf: StdfFile = hands.cell.stdf

    def fill_disk(self, left_bytes: int, for_s: float | None) -> None:
        left = left_bytes

        def full(size: int) -> int:
            nonlocal left
            if size and not left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            allowed = min(size, left)
            left -= allowed
            return allowed

        self._limit(full, for_s)

    def write_protect(self, for_s: float | None) -> None:
        def protected(_size: int) -> int:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        self._limit(protected, for_s)

    def leave_behind(self, content: bytes) -> None:
        lot = self._hands.cell.handler.lot_name
        path = None if lot is None else self._stdf.path_of(lot)
        if path is None or path.exists():
            self._hands.note(missed="the lot's file is there already")
        else:
            path.write_bytes(content)

    def _limit(self, limit: Callable[[int], int], for_s: float | None) -> None:
        self._stdf.limits.append(limit)
        if for_s is not None:
            self._hands.later(for_s, lambda: self._stdf.limits.remove(limit))


class LotDevices:
    """The devices of a lot, some of them changed by faults."""

    def __init__(self, population: Population, on_change: Callable[[int], None] = lambda number: None) -> None:
        self._drawn = lru_cache(maxsize=_IN_WORK)(population.device)
        self._on_change = on_change
        self._changed: dict[int, Device] = {}

    def device(self, number: int) -> Device:
        """Device ``number``, counted from 1."""
        return self._changed.get(number) or self._drawn(number)

    def parameters(self) -> Sequence[str]:
        """What a device of this lot has."""
        return tuple(self._drawn(1).parameters)

    def change(self, part: int, values: Mapping[str, float], factors: Mapping[str, float]) -> None:
        """Device ``part`` gets new true values, or old ones times a factor. DrycellError for a strange model."""
        device: Any = self.device(part)
        true = dict(device.parameters)
        true |= {name: true[name] * factor for name, factor in factors.items()} | dict(values)
        try:
            self._changed[part] = replace(device, parameters=true)
        except TypeError:
            raise DrycellError("devices of this model are no dataclasses, so they cannot be changed") from None
        self._on_change(part)
