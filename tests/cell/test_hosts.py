"""A program with an address built in meets the cell's instrument there; it is neither edited nor told."""

import shutil

import pytest

from drycell.sim.errors import DrycellError

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]


def test_an_address_built_into_the_program_leads_to_the_simulated_instrument(fly, tmp_path, demo):
    """The demo program, with its meter at a fixed address instead of the environment variable."""
    folder = tmp_path / "fixed"
    shutil.copytree(demo, folder)
    meter = folder / "do" / "dut_meter.py"
    text = meter.read_text("utf-8")
    fixed = text.replace('os.environ.get("DRYCELL_METER", DEFAULT_ADDRESS)', '"192.168.77.5:5025"')
    assert fixed != text
    meter.write_text(fixed, "utf-8")
    lot = {"rung": "process", "cell": {"sites": 1}, "devices": {"size": 2}, "program": {"definitions": str(folder)}}
    flight = fly(hosts={"192.168.77.5:5025": "meter"}, **lot)
    assert (flight.result.verdict, flight.result.soft_bins) == ("holds", {1: 2})
    lost = fly(**lot)
    assert lost.result.soft_bins != {1: 2}
    assert any("192.168.77.5" in problem for problem in lost.result.problems)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rung": "model"}, "use rung process, pace virtual"),
        ({"hosts": {"192.168.77.5:5025": "metre"}}, "did you mean 'meter'"),
        ({"hosts": {"a:b:c": "meter"}}, "is no address"),
    ],
)
def test_hosts_that_cannot_be_are_refused_with_what_to_do(fly, changes, reason):
    with pytest.raises(DrycellError, match=reason):
        fly(**{"rung": "process", "hosts": {"192.168.77.5:5025": "meter"}, **changes})
