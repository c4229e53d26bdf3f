"""Every fault of the palette strikes a flying cell: it is journalled, nothing of ours breaks, and it can be repeated."""

from pathlib import Path
from typing import Any, get_args

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.faults import PALETTE
from drycell.sim.faults.base import Layer
from drycell.sim.faults.reference import markdown
from drycell.sim.hooks import registry

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TESTING = {"when": {"site": 0, "says": "testing", "nth": 2}}
FROM_THE_START = ("slow_start", "never_attaches", "wrong_lot", "leftover_file", "read_only_folder")
FIELDS: dict[str, Any] = {
    "freeze": {"site": 0, "for": "3s"},
    "wrong_site": {"message": "testresult", "as": 1, "site": 0},
    "reorder": {"message": "status", "site": 0, "behind": "testresult"},
    "packet": {"site": 0, "packet": "PUBREL", "message": "testresult"},
    "peripheral_elsewhere": {"peripheral": "Temperature", "on": "MagField"},
    "device_changes": {"part": 3, "values": {"vout": 2.5}},
    "slow_link": {"site": 0, "bytes_per_s": 20000.0, "latency": "10ms"},
    "stderr_flood": {"site": 0, "bytes": 70_000},
    "handler_jam": {"for": "3s"},
    "broker_outage": {"for": "2s"},
    "double_feed": {"site": 0},
}


def step(name: str) -> dict[str, Any]:
    fault = PALETTE[name]
    fields = FIELDS.get(name)
    if fields is None:
        required = {key for key, info in fault.model_fields.items() if info.is_required()}
        fields = {key: value for key, value in (("site", 0), ("peripheral", "Temperature")) if key in required}
        if fault.layer in ("link", "payload") and "message" in fault.model_fields:
            fields["message"] = "testresult"
    return {**({"at": 0} if name in FROM_THE_START else TESTING), "do": {name: fields}}


@pytest.mark.parametrize("name", PALETTE)
def test_a_fault_flies_is_journalled_and_repeats(fly, name):
    first, again = fly(step(name)), fly(step(name))
    assert first.result.journal_sha256 == again.result.journal_sha256
    assert [fault["fault"] for fault in first.kinds("fault")] == [name]
    assert not any("Traceback" in text for text in first.result.problems)
    assert first.result.virtual_s <= 600.1
    assert first.end == again.end


def test_the_installed_plugins_offer_the_palette_on_all_layers():
    assert set(PALETTE) <= set(registry().faults)
    assert {fault.layer for fault in PALETTE.values()} == set(get_args(Layer))


def test_every_fault_and_field_says_what_it_is():
    for name, fault in PALETTE.items():
        assert fault.__doc__, name
        assert all(info.description for info in fault.model_fields.values()), name


def test_the_page_lists_the_palette_as_it_is():
    assert markdown() in PAGE.read_text("utf-8")


def test_the_seed_and_the_step_decide_what_is_drawn(fly):
    lossy = {"at": 0, "do": {"noise": {"sigma": 0.001}}}
    one, other = fly(lossy), fly(lossy, seed=8)
    assert one.result.journal_sha256 != other.result.journal_sha256
    quiet = {"at": 500, "do": {"operator": "reset"}}
    answers = [[a["answer"] for a in flight.kinds("ask")] for flight in (one, fly(lossy, quiet), fly(quiet, lossy))]
    assert answers[0] == answers[1] != answers[2]


def test_what_a_device_does_not_have_cannot_change(fly):
    with pytest.raises(DrycellError, match="devices of this lot have no 'vuot'; they have"):
        fly({"at": 0, "do": {"device_changes": {"part": 1, "values": {"vuot": 1.0}}}})
