"""The master's hand on the tester: which sites go on with their next test, and when.

It hears what a master hears (its own ``next``, the programs' states, results and execution strategies) and releases
sites at the tester as the tester's strategy says. Rules (semi-ate 1.0.17): a site tests from ``next`` until it says
another state than testing; one that asks tests; the stages of a touchdown are those that the programs announced last.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from drycell.runtime.plugins.strategies import make_strategy
from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.broker import Message
from drycell.sim.cell.port import Port
from drycell.sim.hooks import Tester

Json = Mapping[str, Any]


class Releases:
    """Releases the sites of ``tester``; ``port`` is the master's."""

    def __init__(self, port: Port, topics: Topics, tester: Tester) -> None:
        self._port = port
        self._topics = topics
        self._tester = tester
        self._strategy = make_strategy(tester.strategy)
        self._stages: Sequence[Sequence[Sequence[int]]] = ()
        self._testing: set[int] = set()
        self._stopped = False
        tester.on_request = self._review

    def start(self) -> None:
        """Hear the cell."""
        self._port.subscribe(self._topics.program_cmd, self._heard_command)
        self._port.subscribe(self._topics.any_program, self._heard_program)
        self._port.subscribe(self._topics.master_status, self._heard_master)

    def _heard_command(self, message: Message) -> None:
        command = _read(message)
        if command.get("command") == "next":
            self._testing = _sites(command.get("sites"))
            self._strategy.begin(self._stages)

    def _heard_program(self, message: Message) -> None:
        kind, said = message.topic.split("/")[3], _read(message)
        if kind == "execution_strategy":
            self._stages = _stages(said.get("payload"))
        elif kind == "status" and said.get("state") != "testing":
            self._testing -= _sites([site_of(message.topic)])
            self._review()

    def _heard_master(self, message: Message) -> None:
        """A master in trouble releases nobody; a new one begins anew."""
        state = _read(message).get("state")
        self._stopped = state in ("softerror", "error", "crash")
        if state != "testing":
            self._testing = set()

    def _review(self) -> None:
        if self._stopped:
            return
        asking = set(self._tester.asking)
        sites = self._strategy.release(asking, self._testing | asking)
        if sites:
            self._port.record("release", sites=list(sites))
            self._tester.release(sites)


def _read(message: Message) -> Json:
    try:
        content = messages.decode(message.payload)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _sites(listed: Any) -> set[int]:
    given = listed if isinstance(listed, list) else []
    return {int(site) for site in given if isinstance(site, str) and site.isascii() and site.isdigit()}


def _stages(payload: Any) -> list[list[list[int]]]:
    """Test -> its stages -> their sites; empty for what is none, so that every test is one stage."""
    try:
        return [[sorted(_sites(stage)) for stage in test] for test in payload]
    except TypeError:
        return []
