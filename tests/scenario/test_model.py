"""What a scenario means: short forms, defaults, words, identity."""

import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.scenario import Scenario, canonical, from_data, from_text, identity, with_overrides

FULL = """
drycell: 1
name: demo lot
seed: 7
epoch: 2026-02-03T04:05:06Z
rung: process
pace: x10
cell:
  dialect: semi-ate
  device_id: demo
  sites: [0, 3]
  layout: {0: [0, 0], 3: [1, 0]}
  handler: {id: geringer, kind: handler, index_time_s: 300ms, retest_bins: [11], retests: 2}
  operator: {resets: 1, reset_after_s: 5}
  peripherals: {MagField: {latency_s: 0.05}, Temperature: {latency_s: 200ms, answer: [1, null, {a: "b"}]}}
  timeouts: {loading_s: 20}
program: {definitions: ./demo/definitions, path: p.py, python: ./venv/bin/python}
devices: {lot: "306426.001", size: 50, model: ldo, defects: 8%, spread: {vout: 1%}}
instruments: {meter: {model: meter, variable: DRYCELL_METER}}
timeline:
  - {when: {part: 8}, do: {options: {stop_on_fail: true, trigger_on_test: {active: true, value: 2}}}}
  - {when: {touchdown: 3}, do: {operator: reset}}
  - {when: {site: 3, says: testing, nth: 2}, do: {operator: {bin: {soft: 12, hard: 5}}}}
  - {when: {master: softerror}, do: {operator: {parameter: {name: vout_1.vset, value: 3.3}}}}
  - {when: {says: idle}, do: {operator: {loglevel: 10}}}
  - {at: 90s, do: {kill: {site: 0, signal: SIGTERM}}}
  - {at: 10us, do: {kill: {site: 3}}}
expect: [lot completes, no orphan is left]
limits: {virtual_s: 1h, wall_s: 5min}
"""


def minimal(**changes: Any) -> Scenario:
    return from_data({"drycell": 1, "name": "x", **changes})


def test_the_example_of_the_documentation_is_understood() -> None:
    scenario = from_text(FULL, folder=Path("here"))
    assert scenario.cell.sites == (0, 3)
    assert scenario.cell.handler.index_time_s == 0.3
    assert scenario.cell.timeouts == {"loading_s": 20.0}
    assert scenario.devices.defects == 0.08
    assert scenario.devices.spread == {"vout": 0.01}
    assert scenario.limits.virtual_s == 3600
    assert scenario.limits.wall_s == 300
    assert str(scenario.effective_pace) == "x10"
    options = scenario.timeline[0].do.options
    assert options is not None
    assert options.used() == ("stop_on_fail", "trigger_on_test")
    assert options.trigger_on_test is not None and options.trigger_on_test.value == 2
    operator = scenario.timeline[1].do.operator
    assert operator is not None and operator.command == "reset"
    trigger = scenario.timeline[2].when
    assert trigger is not None
    assert (trigger.site, trigger.says, trigger.occurrence) == (3, "testing", 2)
    assert [step.at_ns for step in scenario.timeline[-2:]] == [90_000_000_000, 10_000]
    kill = scenario.timeline[-1].do.kill
    assert kill is not None and kill.signal == "SIGKILL"
    assert scenario.path_of("./demo/definitions") == Path("here/demo/definitions")


def test_a_scenario_of_two_lines_has_all_the_defaults() -> None:
    scenario = minimal()
    assert scenario.cell.layout == {0: (0, 0)}
    assert scenario.cell.handler.id == "handler"
    assert scenario.epoch.isoformat() == "2026-01-01T00:00:00+00:00"
    assert str(scenario.effective_pace) == "virtual"
    assert str(minimal(rung="model").effective_pace) == "virtual"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"cell": {"sites": 2}}, {"cell": {"sites": [0, 1], "layout": {"0": [0, 0], "1": [0, 1]}}}),
        ({"cell": {"handler": "model"}}, {}),
        ({"cell": {"handler": {"kind": "prober"}}}, {"cell": {"handler": {"kind": "prober", "wafer": {}}}}),
        ({"devices": {"lot": 33}}, {"devices": {"size": 33}}),
        ({"pace": "x1"}, {"pace": "real"}),
        ({"limits": {"virtual_s": "2min"}}, {"limits": {"virtual_s": 120}}),
        (
            {"timeline": [{"at": 1, "do": {"operator": "next"}}]},
            {"timeline": [{"at": "1s", "do": {"operator": {"command": "next"}}}]},
        ),
    ],
)
def test_a_short_form_is_the_long_form(short: dict[str, Any], long: dict[str, Any]) -> None:
    assert canonical(minimal(**short)) == canonical(minimal(**long))


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90.0), ("1.5s", 1.5), ("250ms", 0.25), ("10us", 1e-05), ("3ns", 3e-09), ("5min", 300.0), ("1h", 3600.0)],
)
def test_durations_are_exact(text: str, value: float) -> None:
    assert minimal(cell={"operator": {"reset_after_s": text}}).cell.operator.reset_after_s == value


def test_the_canonical_form_is_stable_and_loads_to_itself() -> None:
    scenario = from_text(FULL)
    again = from_text(canonical(scenario), as_json=True)
    assert again == scenario
    assert canonical(again) == canonical(scenario)
    assert identity(again) == identity(scenario)
    keys = list(orjson.loads(canonical(scenario)))
    assert keys == sorted(keys)
    assert b'"retests":2' in canonical(scenario)


def test_the_folder_is_no_part_of_the_identity() -> None:
    assert identity(from_text(FULL, folder=Path("a"))) == identity(from_text(FULL, folder=Path("b")))


def test_the_seed_is_part_of_the_identity() -> None:
    assert identity(minimal(seed=1)) != identity(minimal(seed=2))


def test_a_scenario_travels_to_another_process() -> None:
    scenario = from_text(FULL, folder=Path("here"))
    copy = pickle.loads(pickle.dumps(scenario))
    assert copy == scenario
    assert copy.folder == Path("here")


def test_overrides_are_checked_like_the_file() -> None:
    scenario = from_text(FULL, folder=Path("here"))
    changed = with_overrides(scenario, seed=9, **{"devices.size": 3, "cell.handler.index_time_s": "1s"})
    assert (changed.seed, changed.devices.size, changed.cell.handler.index_time_s) == (9, 3, 1.0)
    assert changed.folder == Path("here")
    assert scenario.seed == 7
    with pytest.raises(DrycellError, match=r"override devices\.size: devices\.size: 0 is too small"):
        with_overrides(scenario, **{"devices.size": 0})
    with pytest.raises(DrycellError, match=r"unknown key 'sizes' in devices; did you mean 'size'"):
        with_overrides(scenario, **{"devices.sizes": 0})
    with pytest.raises(DrycellError, match=r"override seed\.x: there is nothing called 'x'"):
        with_overrides(scenario, **{"seed.x": 0})


def test_other_sites_get_other_places() -> None:
    scenario = with_overrides(from_text(FULL.replace("timeline:", "x_:").partition("x_:")[0]), **{"cell.sites": 4})
    assert scenario.cell.layout == {0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (0, 3)}
    fewer = with_overrides(scenario, **{"cell.sites": [3]})
    assert fewer.cell.layout == {3: (0, 3)}


def test_the_short_form_of_the_size_can_be_overridden() -> None:
    scenario = from_text("drycell: 1\nname: x\ndevices: {lot: 20}\n", overrides={"devices.size": 3})
    assert scenario.devices.size == 3


def test_a_step_of_the_timeline_can_be_overridden() -> None:
    scenario = with_overrides(from_text(FULL), **{"timeline.5.at": "91s"})
    assert scenario.timeline[5].at_s == 91


@pytest.mark.parametrize("name", ["TestApp", "MyMaster", "catalog", "a/b", "a+", "", "x" * 65, "a\tb"])
def test_a_device_id_that_would_be_misrouted_is_refused(name: str) -> None:
    with pytest.raises(DrycellError, match=r"cell\.device_id: "):
        minimal(cell={"device_id": name})


def test_the_schema_is_derived_from_the_model_and_allows_the_short_forms() -> None:
    schema = Scenario.model_json_schema()
    assert schema["required"] == ["drycell", "name"]
    assert {"type": "integer"} in schema["$defs"]["Cell"]["properties"]["sites"]["anyOf"]
    handler = schema["$defs"]["Cell"]["properties"]["handler"]["anyOf"]
    assert any(entry.get("const") == "model" for entry in handler)
    sections = [schema, *schema["$defs"].values()]
    undocumented = [
        f"{section['title']}.{name}"
        for section in sections
        for name, about in section.get("properties", {}).items()
        if "description" not in about and "$ref" not in about  # a section describes itself
    ]
    assert undocumented == []
