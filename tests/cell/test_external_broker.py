"""A broker that runs elsewhere takes the place of the embedded one, and says clearly what it cannot do."""

import pytest

from drycell.sim.errors import DrycellError
from tests.broker.mosquitto import mosquitto


@pytest.fixture
def elsewhere(tmp_path):
    (tmp_path / "mosquitto").mkdir()
    with mosquitto(tmp_path / "mosquitto") as port:
        yield f"mqtt://127.0.0.1:{port}"


def test_a_lot_goes_through_a_broker_that_runs_elsewhere(fly, elsewhere):
    flight = fly(cell={"broker": elsewhere}, devices={"size": 4})
    assert flight.result.verdict == "holds"
    assert flight.result.pace == "real"
    assert [event.fields["device"] for event in flight.kinds("sorted")] == [1, 2, 3, 4]


def test_the_real_program_finds_it_too(fly, elsewhere):
    flight = fly(cell={"broker": elsewhere, "sites": 1}, rung="process", devices={"size": 2})
    assert flight.result.verdict == "holds"
    assert flight.result.parts == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pace": "virtual"}, "knows no simulated time"),
        ({"cell": {"broker": "http://x"}}, "is not the address of a broker"),
        ({"cell": {"broker": "mqtt://127.0.0.1:1"}}, "can not be reached"),
    ],
)
def test_what_cannot_be_done_with_it_is_said_in_one_sentence(fly, changes, reason):
    changes = {"cell": {"broker": "mqtt://127.0.0.1:1"}, **changes}
    with pytest.raises(DrycellError, match=reason):
        fly(**changes)
