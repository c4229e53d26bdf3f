"""No message, however wrong, late, lost or repeated, brings the simulator down: every run comes to an end and a verdict."""

from typing import Any, get_args

import pytest

from drycell.sim.faults.select import MessageName

WRONGS: dict[str, dict[str, Any]] = {
    "truncated": {"keep": 0.9},
    "malformed": {"how": "list"},
    "wrong_type": {},
    "wrong_encoding": {"encoding": "latin-1"},
    "wrong_site": {"site": 0, "as": 1},
    "stale": {},
    "lose": {},
    "delay": {"by": "2s"},
    "duplicate": {"copies": 2},
}


@pytest.mark.parametrize("message", get_args(MessageName))
def test_every_kind_of_message_may_be_wrong(fly, message):
    for number, (fault, fields) in enumerate(WRONGS.items()):
        for nth in (1, 3) if fault == "wrong_type" else (2,):
            step = {"at": 0, "do": {fault: {**fields, "message": message, "nth": nth, "count": 2}}}
            flight = fly(step, seed=10 * number + nth, limits={"virtual_s": 300}, devices={"size": 4})
            assert flight.end
            assert flight.result.verdict in ("holds", "violated", "unknown")
