"""A population is a function of its seed and labels, and its defects are worth sorting by bin."""

from collections import Counter
from pathlib import Path
from statistics import fmean, stdev

import pytest

from drycell.plugins_sim.devices.ldo import DEFECTS, PARAMETERS, Ldo, LdoPopulation
from drycell.plugins_sim.instruments.meter import answer
from drycell.sim.cell.program_model import ProgramModel, load_program_model
from drycell.sim.errors import DrycellError

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
BINS = {None: 1, "open_vin": 11, "open_vout": 11, "low_vout": 12, "high_iq": 13, "dropout": 14, "line_reg": 15}


def soft_bin(program: ProgramModel, device: Ldo, site: int) -> int:
    """The bin of the first output that fails, measured and judged as the program does it."""
    values: dict[str, list[float]] = {}
    for test in program.tests:
        inputs = {name: p.value for name, p in test.inputs.items()}
        for output in test.outputs:
            if output.of:
                values[output.name] = [output.reduced(values[output.of])]
            else:
                reply = answer(output.question(str(site), inputs), lambda _: device)
                values[output.name] = [float(number) for number in reply.split(",")]
    outputs = [output for test in program.tests for output in test.outputs]
    return next((o.bin for o in outputs if not o.passes(values[o.name])), 1)


def test_a_device_depends_on_seed_lot_wafer_and_number_and_on_nothing_else() -> None:
    few, many = LdoPopulation(7, "L1", 0, 5), LdoPopulation(7, "L1", 0, 5000)
    assert [few.device(n).parameters for n in range(1, 6)] == [many.device(n).parameters for n in range(1, 6)]
    vouts = {
        LdoPopulation(seed, lot, wafer, 1).device(1).parameters["vout"]
        for seed in (7, 8)
        for lot in ("L1", "L2")
        for wafer in (0, 1)
    }
    assert len(vouts) == 8


def test_the_first_device_of_seed_7_reads_the_same_for_ever() -> None:
    device = LdoPopulation(7, "L1", 0, 1).device(1)
    lines = ("MEAS:RES? (@0),VIN", "MEAS:VOUT? (@0),5", "MEAS:IQ? (@1),5", "MEAS:RAMP? (@0),3.6,5.5")
    assert [answer(line, lambda _: device) for line in lines] == ["0.578", "3.2875", "54.435", "3.2858,3.2881"]


def test_the_population_has_the_declared_mean_spread_and_share_of_defects() -> None:
    population = LdoPopulation(1, "L", 0, 20000)
    devices = [population.device(n) for n in range(1, 20001)]
    good = [d for d in devices if d.defect is None]
    for name, (mean, sigma) in PARAMETERS.items():
        values = [d.parameters[name] for d in good]
        assert fmean(values) == pytest.approx(mean, abs=0.05 * sigma)
        assert stdev(values) == pytest.approx(sigma, rel=0.05)
    for kind, count in Counter(d.defect for d in devices if d.defect).items():
        assert count / 20000 == pytest.approx(DEFECTS[kind], rel=0.25)


def test_spread_widens_one_parameter_and_moves_no_other() -> None:
    plain, wide = LdoPopulation(7, "L", 0, 500), LdoPopulation(7, "L", 0, 500, {"vout": 0.03})
    for n in range(1, 501):
        ours, theirs = plain.device(n).parameters, wide.device(n).parameters
        assert {k: v for k, v in ours.items() if k != "vout"} == {k: v for k, v in theirs.items() if k != "vout"}
    assert stdev(wide.device(n).parameters["vout"] for n in range(1, 501)) > 0.07


@pytest.mark.parametrize("site", [0, 1, 3])
def test_every_kind_of_device_falls_into_its_own_bin_on_every_site(site: int) -> None:
    program = load_program_model(DEMO)
    population = LdoPopulation(3, "L", 0, 1500)
    devices = [population.device(n) for n in range(1, 1501)]
    assert {d.defect for d in devices} == set(BINS)
    wrong = [(d.number, d.defect) for d in devices if soft_bin(program, d, site) != BINS[d.defect]]
    assert wrong == []


def test_a_site_adds_a_small_offset_that_stays_the_same() -> None:
    population = LdoPopulation(7, "L", 0, 2)
    ours, theirs = population.site(0), population.site(1)
    assert ours != theirs
    assert LdoPopulation(7, "another", 4, 9).site(1) == theirs
    assert max(abs(ours.volts), abs(theirs.volts)) < 0.003


def test_a_regulator_follows_its_input_in_dropout_and_drifts_with_temperature() -> None:
    device = LdoPopulation(7, "L", 0, 1, defects={}).device(1)
    p = device.parameters
    at_3 = device.vout_volts(3.0, 0) - device.population.site(0).volts
    assert at_3 == pytest.approx(3.0 - p["dropout"])
    drift = device.vout_volts(5.0, 0, 125.0) - device.vout_volts(5.0, 0, 25.0)
    assert drift == pytest.approx(p["vout"] * p["tempco"] * 1e-6 * 100.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"spread": {"vuot": 0.01}}, "did you mean vout"),
        ({"spread": {"gain": 0.01}}, "it has vout, iq"),
        ({"defects": {"open_vin": 0.8, "high_iq": 0.7}}, "sum to 1.5"),
        ({"defects": {"open_vin": -1}}, "from 0 to 1"),
        ({"count": -1}, "population of -1"),
    ],
)
def test_impossible_populations_are_refused(options: dict[str, object], sentence: str) -> None:
    arguments: dict[str, object] = {"seed": 1, "lot": "L", "wafer": 0, "count": 3, **options}
    with pytest.raises(DrycellError, match=sentence):
        LdoPopulation(**arguments)  # type: ignore[arg-type]


def test_numbers_count_from_one() -> None:
    population = LdoPopulation(1, "L", 0, 3)
    assert (len(population), population.device(3).number) == (3, 3)
    for number in (0, 4):
        with pytest.raises(IndexError):
            population.device(number)
