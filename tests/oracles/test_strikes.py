"""What a fault concerns and how long it lasts follows from its events in the journal."""

from drycell.sim.kernel import Event
from drycell.sim.oracles import Facts
from drycell.sim.oracles.interference import strikes

S = 1_000_000_000


def journal(*entries):
    """Events (second, actor, kind, fields), numbered."""
    return [Event(seq, round(at_s * S), actor, kind, fields) for seq, (at_s, actor, kind, fields) in
            enumerate(entries, start=1)]  # fmt: skip


def fault(at_s, name, step=1, **fields):
    return (at_s, "timeline", "fault", {"fault": name, "step": step, **fields})


def effect(at_s, name, step=1, **fields):
    return (at_s, "timeline", "effect", {"fault": name, "step": step, **fields})


RESET = {"command": "reset"}


def reset(at_s):
    return (at_s, "master", "operator", RESET)


def test_a_fault_concerns_its_site_or_the_whole_cell():
    one, whole = strikes(journal(fault(1, "freeze", site=0), fault(2, "broker_outage")))
    assert (one.concerns("0"), one.concerns("1")) == (True, False)
    assert whole.concerns("0") and whole.concerns("1")


def test_a_fault_that_waits_for_its_message_concerns_nobody_before_it_strikes():
    topic = "ate/demo/TestApp/testresult/site1"
    armed, struck = strikes(journal(fault(1, "lose", nth=2, site=1), effect(3, "lose", topic=topic)))
    assert not armed.concerns("1")
    assert (struck.concerns("1"), struck.concerns("0"), struck.topic) == (True, False, topic)


def test_who_speaks_in_the_name_of_another_site_concerns_both():
    topic = "ate/demo/TestApp/testresult/site0"
    _, struck = strikes(
        journal(fault(1, "wrong_site", nth=1, site=0, **{"as": 1}), effect(2, "wrong_site", topic=topic))
    )
    assert struck.sites == {"0", "1"}


def test_what_missed_or_is_the_operators_right_is_no_interference():
    assert not strikes(journal(fault(1, "operator_resets"), effect(2, "freeze", site=0, missed="no program runs")))


def test_a_reset_counts_when_the_faults_are_over():
    def found(*entries):
        event = Facts(journal(*entries), "demo", "handler", 1).reset_after_faults()
        return None if event is None else event.t_ns / S

    assert found(fault(1, "kill", site=0), reset(3)) == 3
    assert found(reset(1), fault(2, "kill", site=0)) is None
    assert found(fault(1, "tcc_gone", **{"for": 5.0}), reset(3), reset(7)) == 7
    assert found(fault(1, "tcc_gone"), reset(3)) is None
    assert found(fault(1, "lose", nth=1), effect(4, "lose"), reset(3), reset(9)) == 9
    assert found(fault(1, "late_result", nth=1), effect(4, "late_result"), reset(4), reset(9)) == 9
    taken_over = (3, "testapp.demo.0", "disconnect", {"cause": "takeover"})
    assert found(fault(1, "half_open", site=0), reset(3), taken_over) is None
    assert found(fault(1, "half_open", site=0), reset(3), taken_over, reset(3)) == 3
    refused = (3, "master", "refused", {"command": "reset", "state": "ready"})
    assert found(fault(1, "kill", site=0), reset(3), refused, reset(4)) == 4


def test_the_text_says_why_no_reset_counts():
    def why(*entries):
        return Facts(journal(*entries), "demo", "handler", 1).why_no_reset

    assert why(fault(1, "disk_full")) == "the scenario's disk_full never ended"
    assert why(fault(1, "segfault", site=0)) == "nobody pressed reset after the scenario's segfault"
    assert why() == "nobody pressed reset after the soft error"


def test_an_orphan_speaks_until_it_ends_and_for_good_beside_another_program():
    begun, ended, started = fault(1, "orphan", site=0), (3, "program0", "exit", {}), (2, "program0", "launch", {})
    of_another = (2, "program1", "exit", {})

    def counts(*entries):
        return Facts(journal(begun, *entries), "demo", "handler", 1).fault_between(9, 9, "0")

    assert counts()
    assert counts(of_another)
    assert not counts(ended)
    assert counts(started, ended)


def test_a_cable_is_pulled_until_the_broker_gives_the_connection_up():
    begun = fault(1, "half_open", site=0)
    of_another = (2, "testapp.demo.1", "disconnect", {"cause": "closed"})
    its_own = (3, "testapp.demo.0", "disconnect", {"cause": "takeover"})
    assert strikes(journal(begun, of_another))[0].last_ns is None
    assert strikes(journal(begun, of_another, its_own))[0].last_ns == 3 * S
