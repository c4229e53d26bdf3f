"""Each quirk shows what the real packages do; without it, the same story shows what drycell does."""

import pytest

from drycell.runtime.protocol.quirks import QUIRKS

KILL = {"kill": {"site": 0}}
STOP = {"options": {"stop_on_fail": True}}


@pytest.fixture
def both(fly):
    """The same story without and with one quirk."""
    shown = set()

    def fly_both(quirk, **changes):
        shown.add(quirk)
        cell = changes.pop("cell", {})
        return fly(cell=cell, **changes), fly(cell={**cell, "quirks": [quirk]}, **changes)

    return fly_both


def test_control_swallows_the_failure_after_a_reset(both):
    ours, real = both(
        "control-swallows-failure-after-reset", timeline=[{"when": {"part": 3}, "do": KILL}], devices={"size": 4}
    )
    assert (ours.said("control0")[-1], real.said("control0")[-1]) == ("error", "idle")


def test_control_repeats_its_status(both):
    ours, real = both("control-repeats-status", timeline=[{"when": {"part": 3}, "do": KILL}])
    assert ours.said("control0")[-2:] == ["busy", "error"]
    assert real.said("control0")[-2:] == ["error", "error"]


def test_control_echoes_every_status_of_the_master(both):
    ours, real = both("control-echoes-master", devices={"size": 2})
    assert ours.said("control0").count("busy") == 1
    assert real.said("control0").count("busy") > 1
    assert real.result.verdict == "holds"


def test_handler_sends_its_commands_with_qos_0(both):
    ours, real = both("handler-commands-qos-0")
    for flight, qos in ((ours, 2), (real, 0)):
        sent = [m.event.fields["qos"] for m in flight.facts.messages if m.topic == flight.facts.topics.master_cmd]
        assert set(sent) == {qos}


def test_master_hides_a_new_message_of_an_unchanged_state(both):
    timeline = [
        {"when": {"part": 3}, "do": KILL},
        {"when": {"site": 0, "says": "crash"}, "do": {"kill": {"site": 1}}},
    ]
    ours, real = both("master-hides-message", timeline=timeline)
    assert ours.said("master").count("softerror") >= real.said("master").count("softerror") == 1


def test_the_program_keeps_a_failed_device_looking_passed_on_stop(both):
    ours, real = both(
        "sequencer-passes-part-on-stop",
        devices={"size": 40, "defects": "50%"},
        timeline=[{"when": {"touchdown": 1}, "do": STOP}],
    )
    failed = [[prr["PART_FLG"] for _, prr in flight.results() if prr["SOFT_BIN"] > 9] for flight in (ours, real)]
    assert set(failed[0]) == {8}
    assert set(failed[1]) == {0}


def test_the_program_compares_unscaled_values_with_scaled_limits(both):
    ours, real = both("sequencer-compares-unscaled", devices={"defects": 0})
    flags = [
        {
            r["TEST_FLG"]
            for h in f.facts.program("testresult")
            for r in h.content["payload"]
            if r.get("TEST_NUM") == 301
        }
        for f in (ours, real)
    ]
    assert flags == [{0}, {128}]
    assert ours.result.soft_bins == real.result.soft_bins == {1: 8}


def test_the_program_s_will_carries_state_0(both):
    ours, real = both("sequencer-will-state-0", timeline=[{"when": {"part": 3}, "do": KILL}])
    said = [[h.content for h in f.facts.program("status")] for f in (ours, real)]
    wills = [[status["payload"]["state"] for status in one if status["state"] == "crash"] for one in said]
    assert wills == [["crash"], [0]]


def test_every_quirk_says_who_does_what():
    assert {quirk.role for quirk in QUIRKS.values()} <= {"master", "control", "handler", "sequencer"}
    for quirk in QUIRKS.values():
        assert quirk.name.startswith(quirk.role)
        assert quirk.real != quirk.ours
