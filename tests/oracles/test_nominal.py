"""A cell without defects keeps every promise, whatever its shape; a promise that was not put to the test is unknown."""

import random

import pytest

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.oracles import ORACLES
from tests.oracles.support import WITHOUT_ALARM_BINS, fly, judge_nothing

KILL = {"kill": {"site": 0}}
RESET = {"resets": 2, "reset_after_s": 2}
OPTIONS = {"stop_on_fail": True, "trigger_on_fail": True, "trigger_on_test": {"active": True, "value": 2}}
BAD = {"size": 16, "defects": "60%"}
ON = {"when": {"touchdown": 2}, "do": {"options": OPTIONS}}
FIRST = {"when": {"touchdown": 3}, "do": {"options": {"trigger_on_test": {"active": True, "value": 0}}}}
OFF = {"when": {"touchdown": 4}, "do": {"options": {"stop_on_fail": False, "trigger_on_fail": False}}}

SHAPES = {
    "one site": {"cell": {"sites": 1}},
    "two sites": {},
    "four sites": {"cell": {"sites": 4}, "devices": {"size": 10}},
    "sites that are not counted from 0": {"cell": {"sites": [3, 7], "layout": {3: [0, 0], 7: [0, 1]}}},
    "a prober with two wafers": {
        "cell": {
            "sites": 4,
            "handler": {"kind": "prober", "wafer": {"columns": 4, "rows": 4, "change_time_s": 1}},
        },
        "devices": {"size": 20},
    },
    "retests": {"cell": {"handler": {"retest_bins": [2, 3, 4, 5], "retests": 2}}, "devices": BAD},
    "options that change": {"devices": BAD, "timeline": [ON, OFF]},
    "a bin moved and a parameter set": {
        "devices": BAD,
        "timeline": [
            {"when": {"touchdown": 2}, "do": {"operator": {"bin": {"soft": 12, "hard": 7}}}},
            {"when": {"touchdown": 3}, "do": {"operator": {"parameter": {"name": "iq_1.vin", "value": 4.5}}}},
        ],
    },
    "a bin moved while a device is tested": {
        "devices": {"size": 8, "defects": "100%"},
        "timeline": [
            {"at": "100ms", "every": "50ms", "count": 40, "do": {"operator": {"bin": {"soft": soft, "hard": hard}}}}
            for soft in (11, 12, 13, 14, 15)
            for hard in (6, 7)
        ],
    },
    "a slow peripheral": {"cell": {"peripherals": {"Temperature": {"latency_s": 4.9}}}},
    "a crash and a reset": {"cell": {"operator": RESET}, "timeline": [{"when": {"part": 3}, "do": KILL}]},
    "a crash in testing and a reset": {
        "cell": {"operator": RESET},
        "timeline": [{"when": {"site": 0, "says": "testing", "nth": 2}, "do": KILL}],
    },
    "a crash while loading and a reset": {"cell": {"operator": RESET}, "timeline": [{"at": "0.2s", "do": KILL}]},
    "a crash that nobody resets": {"timeline": [{"when": {"part": 3}, "do": KILL}]},
    "a silent peripheral": {"cell": {"peripherals": {}, "operator": RESET}, "limits": {"virtual_s": 60}},
    "other timeouts": {"cell": {"timeouts": {"results_s": 1, "testing_s": 0.5, "loading_s": 2}}},
    "many bad devices": {"devices": {"size": 40, "defects": "60%"}},
    "a state of the master that comes late": {"timeline": [{"at": 0, "do": {"delay": {"message": "master-status"}}}]},
    "a state of a control that comes again": {
        "timeline": [{"at": 0, "do": {"replayed": {"message": "control-status", "site": 0}}}],
        "cell": {"handler": {"index_time_s": 3}},
    },
    "a test cell controller that is away for a while": {
        "cell": {"operator": RESET},
        "timeline": [{"when": {"touchdown": 2}, "do": {"tcc_gone": "8s"}}],
    },
    "a command cut short for one site": {
        "cell": {"operator": RESET},
        "timeline": [{"when": {"part": 1}, "do": {"truncated": {"message": "program-command", "site": 1}}}],
    },
    "an operator who is quicker than the handler": {"timeline": [{"at": "0.4s", "do": {"operator": "next"}}]},
    "a link that stays slow after a reset": {
        "cell": {"operator": RESET},
        "timeline": [{"at": "0.5s", "do": {"slow_link": {"site": 0, "bytes_per_s": 1}}}],
        "limits": {"virtual_s": 200},
    },
    "somebody else under the name of a program": {
        "cell": {"operator": RESET},
        "timeline": [{"when": {"part": 2}, "do": {"take_over": {"site": 1, "times": 2}}}],
    },
    "an orphan that starts late": {
        "cell": {"operator": {"resets": 2, "reset_after_s": 20}},
        "timeline": [
            {"at": 0, "do": {"slow_start": {"site": 0, "by": "30s"}}},
            {"at": "10s", "do": {"orphan": {"site": 0}}},
        ],
    },
    "a handler that names no part": {
        "cell": {"operator": RESET},
        "timeline": [{"when": {"part": 1}, "do": {"wrong_type": {"message": "handler-command"}}}],
    },
}
SPEC = {"dialect": "specification"}
SHAPES |= {
    "specification: two sites": {"cell": SPEC},
    "specification: sixteen sites": {
        "cell": {**SPEC, "sites": 16, "layout": {site: [0, site] for site in range(16)}},
        "devices": {"size": 40},
    },
    "specification: topics as printed": {"cell": {**SPEC, "topics": "printed"}},
    "specification: retests": {
        "cell": {**SPEC, "handler": {"retest_bins": [2, 3, 4, 5], "retests": 2}},
        "devices": BAD,
    },
    "specification: options that change": {
        "cell": SPEC,
        "devices": BAD,
        "timeline": [ON, FIRST, OFF],
    },
    "specification: a crash in testing and a reset": {
        "cell": {**SPEC, "operator": RESET},
        "timeline": [{"when": {"site": 0, "says": "testing", "nth": 2}, "do": KILL}],
    },
    "specification: a program that stands still": {
        "cell": {**SPEC, "operator": RESET},
        "timeline": [{"when": {"site": 0, "says": "testing", "nth": 2}, "do": {"freeze": 0}}],
    },
    "specification: a slow peripheral": {"cell": {**SPEC, "peripherals": {"Temperature": {"latency_s": 4.9}}}},
    "specification: a peripheral that answers too late": {
        "cell": {**SPEC, "peripherals": {"Temperature": {"latency_s": 6}}}
    },
    "specification: a program that cannot start": {
        "cell": SPEC,
        "program": WITHOUT_ALARM_BINS,
        "limits": {"virtual_s": 30},
    },
    "specification: a control that crashes, and its program": {
        "cell": {**SPEC, "operator": RESET},
        "timeline": [{"when": {"touchdown": 2}, "do": {"orphan": {"site": 0}}}],
    },
    "specification: an operator who is quicker than the handler": {
        "cell": {**SPEC, "operator": RESET},
        "timeline": [{"when": {"touchdown": 1}, "do": {"operator": "next"}}],
    },
    "specification: no test cell controller at the end, and resets": {
        "cell": {**SPEC, "operator": RESET, "peripherals": {"Temperature": {}}},
        "timeline": [{"when": {"command": "terminate"}, "do": {"tcc_gone": {}}}],
        "limits": {"virtual_s": 200},
    },
    "specification: a deadline from fragment to fragment": {
        "cell": {**SPEC, "result_window": "fragment", "timeouts": {"results_s": 0.1}}
    },
}
CANNOT_BE_KEPT = {
    "a crash that nobody resets": {"lot completes"},
    "a silent peripheral": {"lot completes", "the cell comes back"},
    "an operator who is quicker than the handler": {"lot completes"},
    "a link that stays slow after a reset": {"lot completes"},
    "specification: a peripheral that answers too late": {"lot completes"},  # it does not answer to Teardown either
    "specification: no test cell controller at the end, and resets": {"lot completes"},
    "specification: a program that cannot start": {"lot completes", "programs end well"},
}
"""What the people of the floor, who are no program, make impossible."""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cell_without_defects_breaks_no_promise(shape, tmp_path):
    found = fly(tmp_path / "run", **SHAPES[shape])
    assert found.violated == CANNOT_BE_KEPT.get(shape, set()), found.texts()


def test_every_oracle_holds_in_some_run_without_defects(tmp_path):
    held = set()
    for number, changes in enumerate(SHAPES.values()):
        verdicts = fly(tmp_path / str(number), **changes).verdicts
        held |= {name for name, verdict in verdicts.items() if verdict == "holds"}
    assert held == set(ORACLES)


UNTOUCHED = {"limits": {"virtual_s": 0.3}}
"""The run is over before any program is idle: nothing was tested."""
CALM = {
    *("options go out with next", "triggers follow the options", "stop on fail stops"),
    *("stopped devices are failed devices", "lost programs are announced", "crashes end in soft error"),
    *("soft errors say why", "the cell comes back", "stdf is recoverable"),
    *("true failures are failed", "equal failures get equal bins", "controls tell of bad ends"),
}
"""What only trouble, options or bad devices put to the test."""
FROM_THE_START = {
    "lot completes",
    "deadlines are kept",
    "nothing is left behind",
    *(f"{role} states follow the table" for role in ("master", "control", "handler")),
}
"""What the first events of any run put to the test."""


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_is_unknown_on_an_empty_journal(name):
    for dialect in DIALECTS:
        result = judge_nothing(dialect).results[name]
        assert (result.verdict, result.evidence) == ("unknown", ()) and result.text


def test_nothing_is_known_of_devices_before_one_was_tested(tmp_path):
    verdicts = fly(tmp_path / "run", **UNTOUCHED).verdicts
    assert {name for name, verdict in verdicts.items() if verdict != "unknown"} <= FROM_THE_START


def test_without_trouble_and_options_nothing_is_known_of_how_they_are_handled(tmp_path):
    verdicts = fly(tmp_path / "run").verdicts
    assert {name for name, verdict in verdicts.items() if verdict == "unknown"} == CALM


def test_a_fault_that_nobody_resets_leaves_the_lot_incomplete_and_nothing_else_broken(tmp_path):
    found = fly(tmp_path / "run", **SHAPES["a crash that nobody resets"])
    assert found.violated == {"lot completes"}
    assert found.verdicts["crashes end in soft error"] == "holds"
    assert found.results["the cell comes back"].text == "nobody pressed reset after the scenario's kill"


def test_what_failing_devices_follow_says_nothing_of_good_ones(tmp_path):
    """Six of eight devices are so bad that their output follows their dropout, and not the regulator's voltage."""
    found = fly(
        tmp_path / "run",
        seed=1598787749,
        cell={**SPEC, "sites": [255], "handler": {"kind": "prober", "wafer": {"columns": 1, "rows": 2}}},
        devices={"size": 8, "defects": 1.0},
    )
    assert found.verdicts["true failures are failed"] != "violated", found.texts("true failures are failed")


def test_the_opt_in_oracles_are_judged_only_when_named(tmp_path):
    ambient = {name for name, oracle in ORACLES.items() if oracle.ambient}
    assert set(ORACLES) - ambient == {"flags follow the limits", "stopped devices are failed devices"}
    assert set(fly(tmp_path / "run", expect=["lot completes"]).verdicts) == ambient & of("semi-ate")


def of(dialect):
    return {name for name, oracle in ORACLES.items() if dialect in oracle.dialects}


def test_a_promise_of_the_other_dialect_is_not_judged_and_says_so_when_it_is_required(tmp_path):
    assert set(fly(tmp_path / "a", cell=SPEC).verdicts) == of("specification")
    asked = (
        fly(tmp_path / "b", cell=SPEC, expect=["summaries count the results"]).results["summaries count the results"],
        fly(tmp_path / "c", expect=["nothing after idle"]).results["nothing after idle"],
    )
    assert [result.verdict for result in asked] == ["unknown", "unknown"]
    assert [result.text for result in asked] == [
        "dialect specification does not promise this",
        "dialect semi-ate does not promise this",
    ]


def a_shape(seed):
    """A random cell without defects, the same for the same seed."""
    draw = random.Random(seed)
    sites = draw.choice([1, 2, 4])  # the load boards of the demo program
    handler = {"index_time_s": draw.choice([0.0, 0.1, 0.3])}
    if draw.random() < 0.4:
        handler |= {"retest_bins": draw.sample([2, 3, 4, 5], 2), "retests": draw.randint(1, 3)}
    if draw.random() < 0.2:
        handler |= {"kind": "prober", "wafer": {"columns": draw.randint(2, 5), "rows": draw.randint(2, 5)}}
    timeline = []
    for touchdown in sorted(draw.sample(range(1, 7), draw.randint(0, 3))):
        option = draw.choice([{"stop_on_fail": True}, {"stop_on_fail": False}, {"trigger_on_fail": True},
                              {"trigger_on_test": {"active": True, "value": draw.randint(1, 4)}}])  # fmt: skip
        timeline.append({"when": {"touchdown": touchdown}, "do": {"options": option}})
    return {
        "seed": seed,
        "cell": {"sites": sites, "handler": handler},
        "devices": {"size": draw.randint(1, 12), "defects": draw.choice(["0%", "16%", "60%"])},
        "timeline": timeline,
    }


@pytest.mark.parametrize("tens", range(30))
def test_three_hundred_random_cells_break_no_promise(tens, tmp_path):
    for seed in range(10 * tens, 10 * tens + 10):
        found = fly(tmp_path / str(seed), **a_shape(seed))
        assert not found.violated, (seed, found.texts())
        assert found.verdicts["lot completes"] == found.verdicts["stdf agrees"] == "holds"
