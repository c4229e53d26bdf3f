"""A worker of the search: a process that flies what it is told, and can be killed at any moment.

``python -m drycell.sim.explore.worker FD`` speaks JSON over the socket FD: first the plan, then one task after the
other, each with one answer. It ends when the other end is closed.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson

from drycell.sim.errors import DrycellError
from drycell.sim.explore.findings import FindingStore
from drycell.sim.explore.pilot import Pilot, plan_from, tests_of
from drycell.sim.scenario import from_text


def investigate(pilot: Pilot, store: FindingStore, signature: str, scenario_json: str) -> str:
    """Confirm and reduce the finding of that kind in ``store``; returns what went wrong, "" for nothing."""
    finding = store.known(signature)
    if finding is None or finding.facts.reduced:
        return ""
    try:
        flight = pilot.fly(from_text(scenario_json, as_json=True, folder=pilot.plan.base.folder))
        violation = next((one for one in flight.findings if one.signature == signature), None)
        if violation is None:
            return f"{finding.name} did not show again"
        store.investigate(finding, flight, violation, pilot.fly, tests=tests_of(pilot.plan.base))
    except DrycellError as error:
        return f"{finding.name} could not be reduced: {error}"
    return ""


def serve(connection: Connection) -> None:
    """Answer tasks until the other end is gone."""
    settings = orjson.loads(connection.recv_bytes())
    try:
        pilot, store = Pilot(plan_from(settings["plan"])), FindingStore(Path(settings["store"]))
    except DrycellError as error:
        connection.send_bytes(orjson.dumps({"refused": str(error)}))
        return
    while True:
        task = orjson.loads(connection.recv_bytes())
        connection.send_bytes(orjson.dumps(_answer(pilot, store, task)))


def _answer(pilot: Pilot, store: FindingStore, task: dict[str, Any]) -> dict[str, Any]:
    if "signature" in task:
        return {"trouble": investigate(pilot, store, task["signature"], task["scenario"])}
    return pilot.land(task["number"], bytes.fromhex(task["dna"])).to_json()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives the tasks
    os.dup2(2, 1)  # what is printed by anybody is talk
    try:
        serve(Connection(int(sys.argv[1])))
    except EOFError:
        pass
