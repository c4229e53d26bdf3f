"""Which true value an output measures: lines through most of the values, and only for sites that keep to them."""

import random

import pytest

from drycell.sim.oracles.lines import Point, fit


def measured(sites: dict[str, float], devices: int = 6) -> list[Point]:
    """``devices`` values for each site, which are 2 x true value + the site's offset."""
    draw = random.Random(1)
    trues = [(site, offset, draw.gauss(3.3, 0.01)) for site, offset in sites.items() for _ in range(devices)]
    return [(site, {"vout": true, "iq": draw.gauss(50, 5)}, 2 * true + offset) for site, offset, true in trues]


def test_the_true_value_that_an_output_follows_is_found_with_the_offset_of_each_site() -> None:
    line = fit(measured({"0": 0.1, "1": -0.2}))
    assert line is not None
    assert line.name == "vout"
    assert line.slope == pytest.approx(2.0)
    assert line.offsets == pytest.approx({"0": 0.1, "1": -0.2})


def test_a_site_half_of_whose_values_lie_elsewhere_has_no_line() -> None:
    points = measured({"0": 0.0, "1": 0.0, "2": 0.0, "3": 0.0}, devices=4)
    open_contacts = [(site, true, 0.0) for site, true, _ in points[-2:]]
    line = fit([*points[:-2], *open_contacts])
    assert line is not None
    assert set(line.offsets) == {"0", "1", "2"}


def test_values_that_follow_nothing_have_no_line() -> None:
    draw = random.Random(2)
    assert fit([(site, true, draw.random()) for site, true, _ in measured({"0": 0.0, "1": 0.0})]) is None


def test_what_is_not_known_of_a_site_with_few_devices_does_not_matter() -> None:
    stranger: Point = ("2", {"iq": 50.0}, 7.0)
    line = fit([stranger, *measured({"0": 0.1, "1": -0.2})])
    assert line is not None
    assert (line.name, set(line.offsets)) == ("vout", {"0", "1"})


def test_two_bad_devices_at_the_start_of_a_large_lot_hide_no_line() -> None:
    first, second, *others = measured({"0": 0.1}, devices=1100)
    line = fit([(first[0], first[1], 0.0), (second[0], second[1], 9.0), *others])
    assert line is not None
    assert (line.name, line.slope) == ("vout", pytest.approx(2.0))
