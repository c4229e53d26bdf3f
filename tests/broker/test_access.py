"""Roles of a cell: the program of site 1 may publish only its own topics; enforced, or audited from the journal."""

import pytest

from drycell.sim.broker import AccessRules, BrokerOptions, Will, audit, cell_roles, make_credentials
from drycell.sim.broker.access import covers
from tests.broker.support import Virtual, virtual

ROLES = cell_roles("D", ["0", "1"], "H")

MAY_PUBLISH = [
    ("testapp.D.1", "ate/D/TestApp/status/site1", True),
    ("testapp.D.1", "ate/D/TestApp/testresult/site1", True),
    ("testapp.D.1", "ate/D/TestApp/io-control/site1/request", True),
    ("testapp.D.1", "ate/D/TestApp/status/site0", False),
    ("testapp.D.1", "ate/D/TestApp/cmd", False),
    ("controlapp.D.0", "ate/D/Control/status/site0", True),
    ("controlapp.D.0", "ate/D/Control/status/site1", False),
    ("masterapp.D", "ate/D/TestApp/cmd", True),
    ("masterapp.D", "ate/D/Master/MagField/response", True),
    ("masterapp.D", "ate/D/MagField/io-control/request", True),
    ("masterapp.D", "ate/D/TestApp/status/site0", False),
    ("handler.H", "ate/D/Master/cmd", True),
    ("handler.H", "ate/H/Handler/status", True),
    ("handler.X", "ate/X/Handler/status", False),
    ("tcc.magfield", "ate/D/MagField/io-control/response", True),
    ("stranger", "anything", False),
]


@pytest.mark.parametrize(("client_id", "topic", "allowed"), MAY_PUBLISH)
def test_what_each_role_may_publish(client_id, topic, allowed):
    assert (AccessRules(ROLES).refuse_publish(client_id, topic) is None) is allowed


MAY_SUBSCRIBE = [
    ("testapp.D.1", "ate/D/TestApp/cmd", True),
    ("testapp.D.1", "ate/D/Master/+/response", True),
    ("testapp.D.1", "ate/D/#", False),
    ("masterapp.D", "ate/D/TestApp/#", True),
    ("masterapp.D", "ate/D/+/log/#", True),
    ("masterapp.D", "ate/H/Handler/status", True),
    ("masterapp.D", "#", False),
    ("controlapp.D.1", "ate/D/Control/cmd", True),
]


@pytest.mark.parametrize(("client_id", "topic_filter", "allowed"), MAY_SUBSCRIBE)
def test_what_each_role_may_subscribe_to(client_id, topic_filter, allowed):
    assert (AccessRules(ROLES).refuse_subscribe(client_id, topic_filter) is None) is allowed


@pytest.mark.row("SEQ-02")
def test_only_the_master_hears_test_programs_and_only_master_and_control_are_heard_by_them():
    rules = AccessRules(ROLES)
    others = ["controlapp.D.0", "controlapp.D.1", "testapp.D.1", "handler.H", "tcc.magfield"]
    for kind in ("status", "stdf", "testresult", "log"):
        topic = f"ate/D/TestApp/{kind}/site0"
        assert rules.breach_subscribe("masterapp.D", topic) is None
        assert all(rules.breach_subscribe(one, topic) for one in others)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [("a/#", "a", True), ("a/#", "a/+/b", True), ("a/+", "a/#", False), ("a/+", "a/b", True), ("a/b", "a/+", False),
     ("#", "+/x", True), ("a/+", "a", False), ("a/b", "a/b/#", False)],
)  # fmt: skip
def test_a_filter_covers_another(wide, narrow, expected):
    assert covers(wide, narrow) is expected


def test_enforced_rules_refuse_strangers_foreign_topics_and_foreign_wills():
    async def story(w: Virtual) -> None:
        stranger = w.client("stranger")
        thief = w.client("testapp.D.0", will=Will("ate/D/TestApp/status/site1", b""))
        program = w.client("testapp.D.1", will=Will("ate/D/TestApp/status/site1", b"crashed"))
        await w.settle()
        assert [c.answers for c in (stranger, thief, program)] == [[(5, False)], [(5, False)], [(0, False)]]
        program.mqtt.publish("ate/D/TestApp/status/site0", b"", 2)
        await w.settle()
        assert program.ended == ["closed"]

    log = virtual(story, BrokerOptions(access=AccessRules(ROLES)))
    assert log.brief("refused", "disconnect", "message") == [
        ("refused", "stranger", "refused"),
        ("refused", "testapp.D.0", "refused"),
        ("refused", "testapp.D.1", "ate/D/TestApp/status/site0"),
        ("disconnect", "testapp.D.1", "protocol error"),
        ("message", "testapp.D.1", "ate/D/TestApp/status/site1"),
    ]


def test_credentials_of_a_run_are_another_secret_for_each_client_and_run():
    first, second = make_credentials(["a", "b"]), make_credentials(["a", "b"])
    secrets = {password for made in (first, second) for _, password in made.values()}
    assert len(secrets) == 4 and all(len(secret) == 32 for secret in secrets) and first["a"][0] == "a"


def test_credentials_of_the_run_are_asked_for():
    rules = AccessRules(ROLES, {"testapp.D.1": ("site1", b"\x00secret")})

    async def story(w: Virtual) -> None:
        clients = [
            w.client("testapp.D.1", username="site1", password=password)
            for password in (b"\x00secret", b"secret", None)
        ]
        await w.settle()
        assert [c.answers[0][0] for c in clients] == [0, 4, 4]

    virtual(story, BrokerOptions(access=rules))


def test_without_credentials_everything_passes_and_the_audit_names_each_breach():
    rules = AccessRules(ROLES, enforce=False)

    async def story(w: Virtual) -> None:
        program = w.client("testapp.D.1")
        w.client("stranger")
        program.mqtt.publish("ate/D/TestApp/status/site1", b"")
        program.mqtt.publish("ate/D/TestApp/status/site0", b"")
        program.subscribe(("ate/#", 0))
        w.broker.publish("in-process peer", "anything", b"")
        await w.settle()

    log = virtual(story, BrokerOptions(access=rules))
    assert len(log.of("message")) == 3
    events = [{"seq": n, "kind": kind, "actor": actor, **fields} for n, (_, kind, actor, fields) in enumerate(log, 1)]
    assert [(b.client_id, b.reason) for b in audit(rules, events)] == [
        ("stranger", "no role of the cell has the client id 'stranger'"),
        ("testapp.D.1", "program of site 1 testapp.D.1 may not publish on ate/D/TestApp/status/site0"),
        ("testapp.D.1", "program of site 1 testapp.D.1 may not subscribe to ate/#"),
    ]
