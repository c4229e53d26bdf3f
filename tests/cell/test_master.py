"""The master alone at a desk: what it says to what it hears, also when others do what they never should."""

from types import SimpleNamespace

import pytest

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.master import Master

TOPICS = Topics("demo")
SITES = ("0", "1")
JOB = Job("lot", {1: (1,), 2: (11,)}, "prog.py", "{run}/program")


class Desk:
    """A port without a broker: what is published is noted, what others say is said by the test."""

    def __init__(self):
        self.now_ns = 0
        self.published = []
        self.events = []
        self.timers = []
        self._listeners = []

    def publish(self, topic, message, qos=2):
        self.published.append((topic, message, qos))

    def subscribe(self, topic_filter, callback):
        entry = (topic_filter, callback)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def later(self, delay_s, action):
        timer = SimpleNamespace(delay_s=delay_s, action=action)
        timer.cancel = lambda: self.timers.remove(timer)
        self.timers.append(timer)
        return timer

    def record(self, kind, **fields):
        self.events.append((kind, fields))
        return len(self.events)

    def say(self, topic, message):
        payload = message if isinstance(message, bytes) else messages.encode(message)
        for topic_filter, callback in list(self._listeners):
            if topic_filter == topic or (topic_filter.endswith("#") and topic.startswith(topic_filter[:-1])):
                callback(Message(topic, payload, 2, False, "test"))

    def control(self, state, *sites, **extra):
        for site in sites or SITES:
            self.say(TOPICS.control_status(site), {**messages.control_status(state), **extra})

    def program(self, state, *sites):
        for site in sites or SITES:
            self.say(TOPICS.program("status", site), messages.program_status(state))

    def result(self, site, part="1", hard_bin=1):
        prr = {
            "type": "PRR",
            "PART_ID": part,
            "HARD_BIN": hard_bin,
            "SOFT_BIN": 1,
            "PART_FLG": 0,
            "SITE_NUM": int(site),
        }
        self.say(TOPICS.program("testresult", site), {"type": "testresult", "payload": [{"type": "PIR"}, prr]})

    def handler(self, kind, **payload):
        self.say(TOPICS.master_cmd, messages.typed(kind, payload))

    def ask(self, site, ioctl="set_field"):
        self.say(TOPICS.io_request(site), messages.io_request("MagField", ioctl, {"millitesla": 1}))

    def sent(self, topic):
        return [message for where, message, _ in self.published if where == topic]


STEPS = {
    "connecting": lambda desk: None,
    "initialized": lambda desk: desk.control("idle"),
    "loading": lambda desk: desk.handler("load", lot_number="lot"),
    "ready": lambda desk: (desk.control("loading"), desk.control("busy"), desk.program("idle")),
    "awaiting_testing": lambda desk: desk.handler(
        "next", sites=[{"siteid": site, "partid": str(n), "binning": -1} for n, site in enumerate(SITES, 1)]
    ),
    "awaiting_results": lambda desk: desk.program("testing"),
}


def at(state, *quirks, **options):
    """A master brought into ``state``, and its desk."""
    desk = Desk()
    master = Master(
        desk,
        TOPICS,
        SITES,
        find_job=lambda lot: JOB if lot == "lot" else None,
        timeouts_s={},
        quirks=quirks,
        **options,
    )
    master.start()
    for step, act in STEPS.items():
        act(desk)
        assert master.state == step
        if step == state:
            break
    return master, desk


def last_message(desk):
    return desk.sent(TOPICS.master_status)[-1]["payload"]["message"]


def test_it_resets_everybody_when_it_connects():
    _, desk = at("connecting")
    assert [m["command"] for m in desk.sent(TOPICS.control_cmd) + desk.sent(TOPICS.program_cmd)] == ["reset", "reset"]


def test_results_in_any_order_are_answered_in_the_order_of_arrival():
    master, desk = at("awaiting_results")
    desk.result("1", "2", hard_bin=2)
    desk.result("0", "1")
    answer = desk.sent(TOPICS.master_response)[-1]["payload"]["sites"]
    assert [(entry["siteid"], entry["partid"], entry["binning"]) for entry in answer] == [
        ("1", "2", 2),
        ("0", "1", 1),
    ]
    assert master.state == "ready"


def test_a_fast_site_may_be_idle_and_done_before_a_slow_one_says_testing():
    master, desk = at("awaiting_testing")
    desk.program("testing", "0")
    desk.program("idle", "0")
    desk.result("0")
    desk.program("testing", "1")
    assert master.state == "awaiting_results"
    desk.program("idle", "1")
    desk.result("1", "2")
    assert master.state == "ready"


def test_a_subset_of_sites_is_enough_for_a_touchdown():
    master, desk = at("ready")
    desk.handler("next", sites=[{"siteid": "1", "partid": "5", "binning": -1}])
    assert desk.sent(TOPICS.program_cmd)[-1]["sites"] == ["1"]
    desk.program("testing", "1")
    desk.program("idle", "1")
    desk.result("1", "5")
    assert master.state == "ready"


UNWANTED = {
    "a crash": (lambda desk: desk.say(TOPICS.program("status", "0"), messages.program_will()), "site 0 crashed"),
    "an error": (lambda desk: desk.program("error", "1"), "site 1 reported an error"),
    "an end": (lambda desk: desk.control("idle", "0"), "test program of site 0 ended"),
    "a control in error": (lambda desk: desk.control("error", "1"), "control of site 1 is in state error"),
    "a program that terminates": (lambda desk: desk.program("terminated", "0"), "site 0 terminated"),
    "a status that is no JSON": (lambda desk: desk.say(TOPICS.program("status", "0"), b"{"), "not JSON"),
    "a result without PRR": (
        lambda desk: desk.say(TOPICS.program("testresult", "0"), {"payload": [{"type": "PIR"}]}),
        "holds 0 PRR records",
    ),
    "a result that is no list": (
        lambda desk: desk.say(TOPICS.program("testresult", "0"), {"payload": 5}),
        "not a list of records",
    ),
    "a control's status that is no JSON": (
        lambda desk: desk.say(TOPICS.control_status("0"), b"\xff"),
        "not understood",
    ),
    "an unknown command": (lambda desk: desk.handler("dance"), "unknown command 'dance'"),
    "a command that is no JSON": (lambda desk: desk.say(TOPICS.master_cmd, b"load"), "not understood"),
    "a load": (lambda desk: desk.handler("load", lot_number="lot"), "sent load while the master was"),
}


@pytest.mark.parametrize("state", ["ready", "awaiting_testing", "awaiting_results"])
@pytest.mark.parametrize("what", UNWANTED)
def test_what_must_not_happen_is_a_soft_error_with_a_reason_and_reset_comes_back(state, what):
    master, desk = at(state)
    happens, reason = UNWANTED[what]
    happens(desk)
    assert master.state == "softerror"
    assert reason in last_message(desk)
    desk.handler("reset")
    desk.control("idle")
    assert master.state == "initialized"


@pytest.mark.parametrize("state", ["ready", "awaiting_testing"])
def test_a_result_that_nobody_waits_for_is_a_soft_error(state):
    master, desk = at(state)
    desk.result("0")
    if state == "awaiting_testing":
        desk.result("0")
    assert master.state == "softerror"


def test_in_softerror_states_are_ignored_and_commands_refused_but_results_are_kept():
    kept = []
    master, desk = at("awaiting_results", on_result=lambda site, records: kept.append(site))
    desk.program("error", "0")
    reason = last_message(desk)
    desk.program("crash", "1")
    desk.handler("next", sites=[])
    desk.result("1", "2")
    assert (master.state, last_message(desk), kept) == ("softerror", reason, ["1"])
    assert ("refused", {"command": "next", "state": "softerror"}) in desk.events


@pytest.mark.parametrize(
    ("state", "seconds", "reason"),
    [
        ("connecting", 300, "not all sites connected within 300 s"),
        ("loading", 180, "not all test programs became idle within 180 s"),
        ("awaiting_testing", 5, "not all sites began to test within 5 s"),
        ("awaiting_results", 30, "not all sites sent their result within 30 s"),
    ],
)
def test_each_deadline_ends_in_softerror_with_its_own_reason(state, seconds, reason):
    master, desk = at(state)
    (timer,) = desk.timers
    assert timer.delay_s == seconds
    timer.action()
    assert (master.state, last_message(desk)) == ("softerror", reason)


def test_questions_of_the_handler_are_answered_in_every_state():
    _, desk = at("loading")
    for kind in ("identify", "get-state", "get-host"):
        desk.handler(kind)
    answers = {m["type"]: m["payload"] for m in desk.sent(TOPICS.master_response)}
    assert answers["identify"] == {"name": "demo"}
    assert answers["get-state"]["state"] == "loading"
    assert set(answers["get-host"]) == {"host", "port"}


def test_a_new_lot_starts_with_all_options_off():
    master, desk = at("ready")
    option = {"name": "stop_on_fail", "active": True, "value": -1}
    master.operator("usersettings", {"payload": [option]})
    STEPS["awaiting_testing"](desk)
    assert desk.sent(TOPICS.program_cmd)[-1]["job_data"]["stop_on_fail"]["active"] is True
    desk.program("testing")
    desk.program("idle")
    desk.result("0")
    desk.result("1", "2")
    desk.handler("unload")
    desk.control("idle")
    desk.handler("load", lot_number="lot")
    assert master.options == {}


def test_options_change_only_between_touchdowns():
    master, desk = at("awaiting_results")
    master.operator("usersettings", {"payload": [{"name": "stop_on_fail", "active": True, "value": -1}]})
    assert master.options == {}
    assert ("refused", {"command": "usersettings", "state": "awaiting_results"}) in desk.events


def test_a_control_of_another_version_is_a_dead_end():
    master, desk = at("connecting")
    desk.control("idle", "0", interface_version=2)
    assert master.state == "error"


# peripherals ---------------------------------------------------------------------------------------------------------


def test_a_peripheral_is_asked_when_all_sites_ask_the_same_and_the_raw_answer_goes_on():
    _, desk = at("awaiting_results")
    desk.ask("0")
    assert desk.sent(TOPICS.peripheral_request("MagField")) == []
    desk.ask("1")
    (request,) = [(m, qos) for topic, m, qos in desk.published if topic == TOPICS.peripheral_request("MagField")]
    assert request == (
        {"type": "io-control-request", "ioctl_name": "set_field", "parameters": {"millitesla": 1}},
        0,
    )
    desk.say(TOPICS.peripheral_response("MagField"), b"anything at all")
    assert desk.sent(TOPICS.master_peripheral("MagField")) == [b"anything at all"]


def test_a_site_that_has_finished_is_not_waited_for():
    for quirks, asked in (((), 1), (("master-waits-for-finished-sites",), 0)):
        _, desk = at("awaiting_results", *quirks)
        desk.ask("0")
        desk.program("idle", "1")
        desk.result("1", "2")
        assert len(desk.sent(TOPICS.peripheral_request("MagField"))) == asked


def test_sites_that_ask_for_different_things_are_a_soft_error():
    for quirks, state in (((), "softerror"), (("master-ignores-different-requests",), "awaiting_results")):
        master, desk = at("awaiting_results", *quirks)
        desk.ask("0", "set_field")
        desk.ask("1", "disable")
        assert master.state == state
        assert desk.sent(TOPICS.peripheral_request("MagField")) == []


def test_a_silent_peripheral_is_answered_with_timeout_after_5_s():
    master, desk = at("awaiting_results")
    desk.ask("0")
    desk.ask("1")
    timer = desk.timers[-1]
    assert timer.delay_s == 5
    timer.action()
    assert desk.sent(TOPICS.master_peripheral("MagField")) == [messages.io_response("set_field", "Timeout")]
    assert master.state == "softerror"


@pytest.mark.parametrize("word", ["crash", "error", "terminated"])
def test_the_last_word_of_a_program_of_before_the_reset_disturbs_nobody(word):
    """Its will may reach the master after its control has already reported its end."""
    master, desk = at("awaiting_results")
    desk.program("error", "0")
    desk.handler("reset")
    desk.program(word, "1")
    desk.control("idle")
    desk.program(word, "1")
    desk.handler("load", lot_number="lot")
    desk.program(word, "1")
    desk.control("busy")
    desk.program("idle")
    assert master.state == "ready"


# quirks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quirks", "state"), [((), "softerror"), (("master-ignores-exit-while-loading",), "loading")]
)
def test_a_program_that_ends_while_loading(quirks, state):
    master, desk = at("loading", *quirks)
    desk.control("busy")
    desk.control("idle", "0")
    assert master.state == state


@pytest.mark.parametrize(("quirks", "state"), [((), "connecting"), (("master-trips-over-late-states",), "softerror")])
@pytest.mark.parametrize("late", [lambda desk: desk.control("busy", "0"), lambda desk: desk.program("idle", "0")])
def test_a_late_answer_while_connecting(quirks, state, late):
    master, desk = at("connecting", *quirks)
    late(desk)
    assert master.state == state


@pytest.mark.parametrize(("quirks", "published"), [((), 0), (("master-sends-next-for-unknown-site",), 1)])
def test_a_next_for_an_unknown_site(quirks, published):
    master, desk = at("ready", *quirks)
    desk.handler("next", sites=[{"siteid": "9", "partid": "1", "binning": -1}])
    assert master.state == "softerror"
    assert sum(m["command"] == "next" for m in desk.sent(TOPICS.program_cmd)) == published


@pytest.mark.parametrize(("quirks", "count"), [((), 2), (("master-hides-message",), 1)])
def test_a_second_reason_in_softerror(quirks, count):
    _, desk = at("ready", *quirks)
    desk.program("error", "0")
    desk.say(TOPICS.program("testresult", "1"), {"payload": 5})
    assert sum(m["state"] == "softerror" for m in desk.sent(TOPICS.master_status)) == count
