"""Whole lots at once: reproducible draws, limits and bins."""

from collections.abc import Iterator

import numpy as np
import pytest

from drycell.plugins_sim.devices.ldo import LdoPopulation
from drycell.plugins_sim.devices.production import (
    CHUNK,
    Binned,
    Floats,
    Limit,
    Spread,
    bin_population,
    draw_population,
)
from drycell.plugins_sim.devices.wafer import WaferLayout
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import BenchRequest, registry
from tests.scpi.support import Rig


def values(count: int, normals: list[Spread], seed: int = 3) -> list[list[float]]:
    drawn: Iterator[Iterator[Floats]] = draw_population(seed, "lot", 1, count, normals)
    return [[float(v) for chunk in one for v in chunk] for one in drawn]


def test_a_further_parameter_and_further_devices_move_nothing() -> None:
    small, large = values(10, [Spread(3.3, 0.01)]), values(CHUNK + 10, [Spread(3.3, 0.01), Spread(5.0, 1.0)])
    assert small[0] == large[0][:10]
    assert len(large[1]) == CHUNK + 10
    assert values(10, [Spread(3.3, 0.01)], seed=4) != small


def test_a_device_gets_the_bins_of_the_first_limit_it_breaks() -> None:
    first = np.array([1.0, 5.0, 1.0, 2.0, np.nan])
    second = np.array([1.0, 9.0, 9.0, 0.0, 0.0])
    limits = [Limit(0.0, 2.0, 11, 3), Limit(0.0, 2.0, 12, 4)]
    binned = bin_population([[first], [second]], limits)
    assert binned.soft.tolist() == [1, 11, 12, 1, 11]
    assert binned.hard.tolist() == [1, 3, 4, 1, 3]
    assert binned.first_fail.tolist() == [0, 1, 2, 0, 1] and binned.passed == 2


def test_the_yield_is_what_the_normal_distribution_says() -> None:
    binned: Binned = bin_population(
        draw_population(1, "lot", 1, 200_000, [Spread()] * 3), [Limit(-2.0, 2.0, 2, 2)] * 3
    )
    assert binned.passed / 200_000 == pytest.approx(0.9545**3, abs=0.002)


def test_parameters_without_limits_are_refused() -> None:
    with pytest.raises(DrycellError, match="more parameters than the 1 limits"):
        bin_population(draw_population(1, "lot", 1, 5, [Spread()] * 2), [Limit(0, 1, 2, 2)])
    with pytest.raises(DrycellError, match="1 parameters for 2 limits"):
        bin_population(draw_population(1, "lot", 1, 5, [Spread()]), [Limit(0, 1, 2, 2)] * 2)


def test_wafers_sites_radius_and_outliers_have_their_effects() -> None:
    layout = WaferLayout(60, 60)
    radius = layout.radius

    def drawn(spread: Spread, wafer: int = 1) -> Floats:
        (chunks,) = draw_population(5, "lot", wafer, len(layout), [spread], radius)
        return np.concatenate([chunk.copy() for chunk in chunks])

    plain = drawn(Spread())
    assert np.ptp(drawn(Spread(wafer_sigma=3.0)) - plain) < 1e-12
    assert abs(float((drawn(Spread(wafer_sigma=3.0), 2) - drawn(Spread(), 2))[0])) != 0.0
    rim, centre = radius > 0.95, radius < 0.2
    bowl = drawn(Spread(radial=5.0)) - plain
    assert bowl[rim].mean() == pytest.approx(5.0, abs=0.5) and bowl[centre].mean() == pytest.approx(0.0, abs=0.2)
    by_site = drawn(Spread(site_sigma=1.0, sites=4)) - plain
    assert np.allclose(by_site[:4], by_site[4:8]) and len(set(by_site[:4].round(9))) == 4
    wild = drawn(Spread(outliers=0.05))
    assert np.count_nonzero(np.abs(wild) > 4.5) / len(wild) == pytest.approx(0.05 * 0.57, abs=0.012)
    with pytest.raises(DrycellError, match="needs the radius"):
        next(draw_population(5, "lot", 1, 10, [Spread(radial=1.0)]))


def test_a_wafer_map_shows_every_die_in_its_place() -> None:
    layout = WaferLayout(5, 4)
    bins = np.arange(1, len(layout) + 1, dtype=np.uint16)
    rows = layout.map_text(bins).splitlines()
    assert len(rows) == 4 and all(len(row) == 5 for row in rows)
    assert rows == [".123.", "45678", "9ABCD", ".EFG."]
    assert layout.grid(bins)[layout.rows_of[0], layout.columns_of[0]] == 1
    with pytest.raises(DrycellError, match="bins for"):
        layout.grid(bins[:3])


def test_a_drawn_regulator_stands_on_a_bench_with_its_own_parameters() -> None:
    lot = LdoPopulation(7, "lot", 0, 200, defects={"open_vin": 0.1, "dropout": 0.1})
    for number in range(1, 40):
        device = lot.device(number)
        rig = Rig()
        rig.bench.seat(0, device)
        rig.ask("psu", "VOLT 5;:OUTP ON")
        assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(device.vout_volts(5.0, 0), abs=1e-3)
        if device.defect is None:
            assert rig.bench.world.read().solution.current(rig.bench.instruments["psu"].board(0)[0]) * -1e6 == (
                pytest.approx(device.iq_microamp(5.0, 0), abs=0.1)
            )


def test_a_cell_asks_for_a_bench_and_seats_its_devices() -> None:
    bench = registry().bench("bench", BenchRequest(lambda: 0, sites=2, seed=5))
    bench.served["psu"].answer("VOLT 5,(@1,2);:OUTP ON,(@1,2)")
    lot = LdoPopulation(7, "lot", 0, 5, defects={})
    bench.seat(0, lot.device(1))
    bench.seat(1, None)
    volts = bench.served["dmm"].answer("MEAS:VOLT:DC? AUTO,DEF,(@1,2)").split(",")
    assert float(volts[0]) == pytest.approx(lot.device(1).vout_volts(5.0, 0), abs=1e-3) and volts[1] == "0.000000"
    with pytest.raises(DrycellError, match="no electrical model"):
        bench.seat(0, Nothing())
    with pytest.raises(DrycellError, match="there is no bench 'benc'"):
        registry().bench("benc", BenchRequest(lambda: 0))


class Nothing:
    parameters: dict[str, float] = {}  # noqa: RUF012
