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
from drycell.sim.explore.findings import FindingStore, investigate
from drycell.sim.explore.pilot import Pilot, plan_from


def reduce(pilot: Pilot, store: FindingStore, signature: str) -> str:
    """Confirm and reduce the finding of that kind; returns what went wrong, "" for nothing."""
    finding = store.known(signature)
    if finding is None:
        return f"the finding {signature!r} is gone from {store.root}"
    try:
        finding = investigate(finding, pilot.fly)
    except DrycellError as error:
        return f"{finding.name} could not be reduced: {error}"
    return "" if finding.facts.reduced else f"{finding.name} did not show again"


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
        connection.send_bytes(orjson.dumps(answer(pilot, store, task)))


def answer(pilot: Pilot, store: FindingStore, task: dict[str, Any]) -> dict[str, Any]:
    """Do one task: reduce a finding, or fly a genome."""
    if "reduce" in task:
        return {"trouble": reduce(pilot, store, task["reduce"])}
    return pilot.land(task["number"], bytes.fromhex(task["dna"])).to_json()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives the tasks
    os.dup2(2, 1)  # what is printed by anybody is talk
    try:
        serve(Connection(int(sys.argv[1])))
    except EOFError:
        pass
