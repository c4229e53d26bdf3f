"""The master of dialect ``specification`` alone at a desk: deadlines to the nanosecond, and sites in any order."""

import heapq
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.runtime.protocol import messages, records
from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.master_specification import SpecificationMaster
from drycell.sim.kernel import NS_PER_S, ns

TOPICS = Topics("demo")
JOB = Job("lot", {1: (1,), 2: (11,)}, "prog.py", "{run}/program")
ACTUATORS = ("Temperature", "Magnet")
LIMIT_NS = 15 * NS_PER_S


class Desk:
    """A port without a broker, with a clock: what is published is noted, what others say is said by the test."""

    def __init__(self):
        self.now_ns = 0
        self.published = []
        self.events = []
        self._timers = []
        self._numbers = count()
        self._listeners = []

    def publish(self, topic, message, qos=2):
        self.published.append((topic, message))

    def subscribe(self, topic_filter, callback):
        entry = (topic_filter, callback)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def later(self, delay_s, action):
        timer = [self.now_ns + ns(delay_s), next(self._numbers), action]
        heapq.heappush(self._timers, timer)
        return Armed(timer)

    def record(self, kind, **fields):
        self.events.append((kind, fields))
        return len(self.events)

    def wait_until(self, at_ns):
        """Time passes; timers of the very instant do not fire yet."""
        while self._timers and self._timers[0][0] < at_ns:
            timer = heapq.heappop(self._timers)
            self.now_ns = timer[0]
            if timer[2] is not None:
                timer[2]()
        self.now_ns = at_ns

    def say(self, topic, message):
        payload = message if isinstance(message, bytes) else messages.encode(message)
        for topic_filter, callback in list(self._listeners):
            if topic_filter == topic or (topic_filter.endswith("#") and topic.startswith(topic_filter[:-1])):
                callback(Message(topic, payload, 2, False, "test"))

    def control(self, state, *sites):
        for site in sites:
            self.say(TOPICS.control_status(site), messages.control_status(state))

    def program(self, state, site, message=""):
        self.say(TOPICS.program("status", site), spec.program_status(state, message))

    def stdf(self, site, data):
        self.say(TOPICS.program("stdf", site), spec.fragment(data))

    def ask(self, site, ioctl="set", kind="Temperature", number=1):
        self.say(TOPICS.io_request(site), spec.io_request(kind, ioctl, {}, f"{site}-{number}"))

    def handler(self, kind, **payload):
        self.say(TOPICS.master_cmd, messages.typed(kind, payload))

    def sent(self, topic):
        return [message for where, message in self.published if where == topic]

    def commands(self, name):
        return [command["sites"] for command in self.sent(TOPICS.program_cmd) if command["command"] == name]

    def teardowns(self):
        return [
            [r["ioctl_name"] for r in self.sent(TOPICS.peripheral_request(one))].count("Teardown")
            for one in ACTUATORS
        ]

    def answer_all(self):
        """The TCC answers whatever it was asked."""
        for one in ACTUATORS:
            for request in self.sent(TOPICS.peripheral_request(one)):
                answer = spec.io_response(request["ioctl_name"], {"status": "ok"}, request["request_ids"])
                self.say(TOPICS.peripheral_response(one), answer)


class Armed:
    def __init__(self, timer):
        self.timer = timer

    def cancel(self):
        self.timer[2] = None


def result(site, part):
    number = int(site)
    end = records.prr(number, passed=True, num_test=0, hard_bin=1, soft_bin=1, test_t_ms=1, part_id=part)
    return spec.stdf_bytes([records.pir(number), end])


def loaded(sites, **settings_):
    """A master whose programs are all idle, and its desk."""
    desk = Desk()
    master = SpecificationMaster(
        desk, TOPICS, sites, find_job=lambda lot: JOB, timeouts_s={}, peripherals=ACTUATORS, **settings_
    )
    master.start()
    desk.control("idle", *sites)
    desk.handler("load", lot_number="lot")
    desk.control("busy", *sites)
    for site in sites:
        desk.program("idle", site)
    assert master.state == "ready"
    return master, desk


def begun(sites=("0",), **settings_):
    """A master whose sites have just begun to test parts 1, 2, ..."""
    master, desk = loaded(sites, **settings_)
    desk.handler("next", sites=[{"siteid": site, "partid": str(n)} for n, site in enumerate(sites, 1)])
    for site in sites:
        desk.program("testing", site)
    return master, desk


def why(desk):
    return desk.sent(TOPICS.master_status)[-1]["payload"]["message"]


# deadlines ---------------------------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-44", "SEQ-46")
@pytest.mark.parametrize(
    ("at_ns", "state"), [(LIMIT_NS - 1, "ready"), (LIMIT_NS, "ready"), (LIMIT_NS + 1, "softerror")]
)
def test_the_last_fragment_and_idle_are_in_time_until_fifteen_seconds_are_over(at_ns, state):
    master, desk = begun()
    desk.wait_until(at_ns)
    desk.stdf("0", result("0", "1"))
    desk.program("idle", "0")
    assert master.state == state, why(desk)


@pytest.mark.row("SEQ-46")
def test_a_silent_site_is_given_up_one_tick_after_its_deadline():
    master, desk = begun()
    desk.wait_until(LIMIT_NS + 1)
    assert master.state == "testing"
    desk.wait_until(LIMIT_NS + 2)
    assert (master.state, why(desk)) == (
        "softerror",
        "the test program of site 0 did not finish its result within 15 s",
    )


def test_each_site_has_its_own_fifteen_seconds():
    master, desk = loaded(("0", "1"))
    desk.handler("next", sites=[{"siteid": "0", "partid": "1"}, {"siteid": "1", "partid": "2"}])
    desk.program("testing", "0")
    desk.wait_until(4 * NS_PER_S)
    desk.program("testing", "1")
    desk.wait_until(14 * NS_PER_S)
    desk.stdf("0", result("0", "1"))
    desk.program("idle", "0")
    desk.wait_until(4 * NS_PER_S + LIMIT_NS)
    desk.stdf("1", result("1", "2"))
    desk.program("idle", "1")
    assert master.state == "ready"


@pytest.mark.row("SEQ-41", "SEQ-46")
def test_with_a_window_for_each_fragment_a_long_test_is_legal_until_it_is_silent_for_too_long():
    master, desk = begun(site_table=spec.PER_FRAGMENT)
    data = result("0", "1")
    for number, byte in enumerate(data, 1):
        desk.wait_until(number * LIMIT_NS)
        desk.stdf("0", bytes([byte]))
    assert master.state == "testing"
    desk.wait_until((len(data) + 1) * LIMIT_NS + 1)
    desk.program("idle", "0")
    assert master.state == "softerror"


# what is out of turn -----------------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-18", "SEQ-45")
def test_one_byte_after_idle_is_a_system_error_and_no_next_follows():
    master, desk = begun()
    desk.stdf("0", result("0", "1"))
    desk.program("idle", "0")
    desk.stdf("0", b"\0")
    assert (master.state, why(desk)) == ("softerror", "the test program of site 0 sent STDF while it was idle")
    desk.handler("next", sites=[{"siteid": "0", "partid": "2"}])
    assert desk.commands("next") == [["0"]]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"%%%", "no Base64"),
        (spec.fragment(b"\1\2\3"), "no STDF"),
        (spec.fragment(result("0", "7")), "part 7"),
        (spec.fragment(result("0", "1")[:-1]), "no STDF"),
        (spec.fragment(b""), "0 PRR"),
    ],
)
def test_what_is_no_whole_result_of_this_device_is_a_system_error_that_names_the_site(payload, reason):
    master, desk = begun()
    desk.say(TOPICS.program("stdf", "0"), payload)
    desk.program("idle", "0")
    said = [status["payload"]["message"] or "" for status in desk.sent(TOPICS.master_status)]
    assert master.state == "softerror"
    assert any("site 0" in text and reason in text for text in said), said


def test_more_stdf_than_a_device_can_have_is_refused():
    master, desk = begun()
    for _ in range(3):
        desk.stdf("0", bytes(spec.MAX_RESULT_BYTES // 2))
    assert master.state == "softerror" and "more than" in why(desk)


@pytest.mark.row("SEQ-50")
def test_an_error_while_a_program_starts_is_reported_by_its_words():
    desk = Desk()
    master = SpecificationMaster(desk, TOPICS, ("0",), find_job=lambda lot: JOB, timeouts_s={}, peripherals=ACTUATORS)
    master.start()
    desk.control("idle", "0")
    desk.handler("load", lot_number="lot")
    desk.control("busy", "0")
    desk.program("error", "0", "no such instrument")
    assert master.state == "softerror" and why(desk).endswith("reported an error: no such instrument")


# crash, teardown, terminate ----------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-53", "SEQ-55")
def test_after_a_crash_who_tests_may_finish_and_then_ends_and_each_actuator_is_torn_down_once():
    master, desk = begun(("0", "1"))
    desk.say(TOPICS.program("status", "0"), messages.program_will())
    desk.control("error", "0")
    assert (master.state, desk.teardowns(), desk.commands("terminate")) == ("softerror", [1, 1], [])
    desk.stdf("1", result("1", "2"))
    desk.program("idle", "1")
    assert desk.commands("terminate") == [["1"]]
    assert ("kept", {"site": "1", "part": "2"}) in desk.events
    assert desk.teardowns() == [1, 1]


@pytest.mark.row("SEQ-58")
def test_at_the_end_of_a_lot_actuators_are_torn_down_when_the_last_program_has_ended():
    master, desk = loaded(("0", "1"))
    desk.handler("unload")
    assert desk.commands("terminate") == [["0", "1"]]
    for site in ("0", "1"):
        assert desk.teardowns() == [0, 0]
        desk.program("Shutdown", site)
        desk.control("idle", site)
    assert (master.state, desk.teardowns()) == ("parking", [1, 1])
    desk.answer_all()
    assert master.state == "initialized"


def test_an_actuator_that_does_not_tear_down_leaves_the_master_in_error_and_the_others_torn_down():
    master, desk = loaded(("0",))
    desk.handler("unload")
    desk.program("Shutdown", "0")
    desk.control("idle", "0")
    desk.wait_until(6 * NS_PER_S)
    assert (master.state, desk.teardowns()) == ("softerror", [1, 1])
    assert "Magnet (no answer), Temperature (no answer)" in why(desk)


@pytest.mark.parametrize("when", ["idle", "testing"])
def test_a_program_whose_control_has_crashed_is_told_to_terminate_when_it_is_idle(when):
    master, desk = loaded(("0",)) if when == "idle" else begun(("0",))
    desk.control("crash", "0")
    desk.control("idle", "0")  # the control is back, without a memory
    assert master.state == "softerror"
    if when == "testing":
        assert desk.commands("terminate") == []
        desk.stdf("0", result("0", "1"))
        desk.program("idle", "0")
    assert desk.commands("terminate") == [["0"]]


def test_a_program_that_has_outlived_its_lot_is_told_to_terminate():
    master, desk = begun(("0", "1"))
    desk.control("crash", "0")
    desk.control("idle", "0")
    master.operator("reset", {})
    desk.control("idle", "0", "1")
    desk.program("idle", "0")
    assert (master.state, desk.commands("terminate")) == ("initialized", [["0"]])


def test_a_program_that_ends_well_without_shutdown_has_crashed():
    master, desk = loaded(("0",))
    desk.control("idle", "0")
    assert master.state == "softerror" and "without Shutdown" in why(desk)


# peripherals -------------------------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-26", "SEQ-29")
def test_a_request_of_all_sites_is_relayed_once_and_answered_to_all():
    _, desk = begun(("0", "1"))
    desk.ask("0")
    assert desk.sent(TOPICS.peripheral_request("Temperature")) == []
    desk.ask("1")
    (request,) = desk.sent(TOPICS.peripheral_request("Temperature"))
    assert request["request_ids"] == ["0-1", "1-1"] and "periphery_type" not in request
    desk.answer_all()
    (answer,) = desk.sent(TOPICS.master_peripheral("Temperature"))
    assert spec.answers(answer, "set", "0-1") and spec.answers(answer, "set", "1-1")


def test_a_site_that_has_finished_is_not_waited_for():
    _, desk = begun(("0", "1"))
    desk.ask("0")
    desk.stdf("1", result("1", "2"))
    desk.program("idle", "1")
    assert len(desk.sent(TOPICS.peripheral_request("Temperature"))) == 1


@pytest.mark.row("SEQ-25", "SEQ-26")
def test_different_wishes_and_peripherals_that_are_not_there_are_system_errors():
    master, desk = begun(("0", "1"))
    desk.ask("0", "set")
    desk.ask("1", "read")
    assert master.state == "softerror" and "different things" in why(desk)
    master, desk = begun()
    desk.ask("0", kind="Laser")
    assert master.state == "softerror" and "Laser" in why(desk)


def test_a_peripheral_that_does_not_answer_is_no_error_of_the_master_and_its_late_answer_is_nobodys():
    master, desk = begun()
    desk.ask("0", number=1)
    desk.wait_until(6 * NS_PER_S)
    (told,) = desk.sent(TOPICS.master_peripheral("Temperature"))
    assert (told["result"], told["request_ids"], master.state) == ("Timeout", ["0-1"], "testing")
    desk.ask("0", number=2)
    late = spec.io_response("set", {"status": "ok"}, ["0-1"])
    desk.say(TOPICS.peripheral_response("Temperature"), late)
    assert len(desk.sent(TOPICS.master_peripheral("Temperature"))) == 1
    desk.answer_all()
    assert desk.sent(TOPICS.master_peripheral("Temperature"))[-1]["request_ids"] == ["0-2"]


# any order ---------------------------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-13", "SEQ-14", "SEQ-15", "SEQ-16")
@settings(max_examples=200, deadline=None)
@given(
    sites=st.integers(1, 16),
    asking=st.sets(st.integers(0, 15)),
    cut=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_one_to_sixteen_sites_in_any_order_of_messages_never_stand_still(sites, asking, cut, seed):
    names = tuple(str(number) for number in range(sites))
    master, desk = loaded(names)
    draw = random.Random(seed)
    desk.handler("next", sites=[{"siteid": site, "partid": site} for site in names])
    waiting = {site: list(steps_of(site, cut, asks=int(site) in asking)) for site in names}
    while waiting:
        ready = [site for site, steps in waiting.items() if steps[0] != "answer" or answered(desk, site)]
        if not ready:  # all that is left waits for the peripheral
            desk.answer_all()
            assert any(answered(desk, site) for site in waiting), "nobody can go on"
            continue
        site = draw.choice(ready)
        step = waiting[site].pop(0)
        if callable(step):
            step(desk)
        if not waiting[site]:
            del waiting[site]
    assert master.state == "ready", why(desk)
    (binned,) = [m["payload"]["sites"] for m in desk.sent(TOPICS.master_response) if m["type"] == "next"]
    assert {entry["siteid"]: entry["partid"] for entry in binned} == {site: site for site in names}


def steps_of(site, cut, *, asks):
    """What a program says for one device; "answer": it waits for its peripheral there."""
    yield lambda desk: desk.program("testing", site)
    data = result(site, site)
    if asks:
        yield lambda desk: desk.ask(site)
        yield "answer"
    for at in range(0, len(data), cut):
        yield lambda desk, piece=data[at : at + cut]: desk.stdf(site, piece)
    yield lambda desk: desk.program("idle", site)


def answered(desk, site):
    return any(spec.answers(m, "set", f"{site}-1") for m in desk.sent(TOPICS.master_peripheral("Temperature")))
