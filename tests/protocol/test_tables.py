"""The protocol tables: consistent as data, executed by one machine, drawn into the docs."""

from types import SimpleNamespace

import pytest

from drycell.runtime.protocol import specification
from drycell.runtime.protocol.diagram import mermaid
from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.protocol.machine import IllegalEventError, Machine
from drycell.runtime.protocol.semi_ate import CONTROL, HANDLER, MASTER, SEQUENCER, TABLES
from drycell.runtime.protocol.table import ANY, Table, Timeout, Transition
from drycell.runtime.protocol.topics import Topics, site_of
from tests.protocol.write_page import PAGE, page

EVERY = {f"{name} {role}": table for name, dialect in DIALECTS.items() for role, table in dialect.tables.items()}


class Timers:
    """Armed timers by hand: ``expire()`` fires the one that is left."""

    def __init__(self):
        self.armed = []

    def later(self, delay_s, action):
        timer = SimpleNamespace(delay_s=delay_s, action=action, cancel=lambda: self.armed.remove(timer))
        self.armed.append(timer)
        return timer

    def expire(self):
        self.armed[-1].action()


def machine(table, log, timers=None, **overrides):
    names = {name for row in table.transitions for name in row.actions}
    return Machine(
        table,
        actions={name: (lambda name=name: log.append(name)) for name in names},
        later=(timers or Timers()).later,
        on_change=lambda before, row: log.append(f"{before}>{row.next}"),
        on_timeout=lambda timeout, seconds: log.append(f"timeout {timeout.name} {seconds:g}"),
        overrides=overrides,
    )


@pytest.mark.parametrize("table", EVERY.values(), ids=EVERY)
def test_every_state_of_a_role_can_be_reached(table):
    reached, pending = set(), [table.initial]
    while pending:
        state = pending.pop()
        if state not in reached:
            reached.add(state)
            pending += table.successors(state)
    assert reached == set(table.states)


@pytest.mark.parametrize("table", EVERY.values(), ids=EVERY)
def test_every_state_but_a_final_one_has_a_way_out(table):
    stuck = {state for state in table.states if table.successors(state) <= {state}}
    assert stuck == set(table.final)


def test_a_normal_touchdown_of_the_master_is_the_sequence_of_the_packages():
    log, timers = [], Timers()
    master = machine(MASTER, log, timers)
    for event in (
        "connected",
        "controls_idle",
        "load",
        "programs_idle",
        "next",
        "all_testing",
        "all_results",
        "unload",
    ):
        master.fire(event)
    assert [entry.split(">")[1] for entry in log if ">" in entry] == [
        *("connecting", "initialized", "loading", "ready"),
        *("awaiting_testing", "awaiting_results", "ready", "unloading"),
    ]
    assert log[:2] == ["reset_all", "startup>connecting"]  # the command leaves before the state is entered


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ((), 300),
        (("connected",), 300),
        (("connected", "controls_idle", "load"), 180),
        (("connected", "controls_idle", "load", "programs_idle", "next"), 5),
        (("connected", "controls_idle", "load", "programs_idle", "next", "all_testing"), 30),
        (("connected", "controls_idle", "load", "programs_idle", "unload"), 60),
        (("connected", "fail", "reset"), 60),
    ],
)
def test_the_master_waits_as_long_as_the_packages_do_and_then_is_in_softerror(events, seconds):
    log, timers = [], Timers()
    master = machine(MASTER, log, timers)
    for event in events:
        master.fire(event)
    assert [timer.delay_s for timer in timers.armed] == [seconds]
    timers.expire()
    assert (master.state, timers.armed) == ("softerror", [])


def test_leaving_a_state_takes_its_timeout_back_and_an_override_changes_it():
    log, timers = [], Timers()
    master = machine(MASTER, log, timers, loading_s=20)
    for event in ("connected", "controls_idle"):
        master.fire(event)
    assert timers.armed == []
    master.fire("load")
    assert [timer.delay_s for timer in timers.armed] == [20]


@pytest.mark.parametrize(
    ("table", "state", "event"),
    [
        (SEQUENCER, "starting", "next"),
        (MASTER, "startup", "load"),
        (CONTROL, "idle", "started"),
        (HANDLER, "startup", "binned"),
    ],
)
def test_an_illegal_event_is_refused_and_changes_nothing(table, state, event):
    role = machine(table, [])
    assert not role.can(event)
    with pytest.raises(IllegalEventError, match=f"{event!r} is not allowed in state {state!r}"):
        role.fire(event)
    assert role.state == state


@pytest.mark.parametrize("state", ["idle", "testing", "selftesting", "starting"])
def test_a_program_can_fail_from_every_living_state_and_never_comes_back(state):
    assert SEQUENCER.find(state, "fail").next == "error"
    assert SEQUENCER.find("error", "fail") is None
    assert SEQUENCER.successors("terminated") == set()


def test_announced_steps_pass_over_internal_states():
    assert CONTROL.published_steps["busy"] == {"busy", "idle", "error"}
    assert MASTER.published_steps["testing"] >= {"ready", "softerror", "testing"}
    assert MASTER.first_published == {"connecting", "softerror", "error"}


def test_contradicting_rows_and_unknown_states_are_refused():
    rows = (Transition("a", "go", "b"), Transition("a", "go", "c"))
    with pytest.raises(ValueError, match="two rows"):
        Table("x", "a", rows)
    with pytest.raises(ValueError, match="unknown states"):
        Table("x", "a", rows[:1], (Timeout("zz", "t", 1, "go", ""),))
    with pytest.raises(ValueError, match="no code for actions"):
        Machine(
            Table("x", "a", (Transition("a", "go", "b", ("act",)),)),
            actions={},
            later=Timers().later,
            on_change=print,
            on_timeout=print,
        )


def test_diagrams_show_every_row():
    for table in TABLES.values():
        drawn = mermaid(table)
        for row in table.transitions:
            source = "any" if row.state == ANY else row.state
            assert f"    {source} --> {row.next}: {row.event}" in drawn


def test_the_protocol_page_is_what_the_tables_say():
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.protocol.write_page"


def test_topics_carry_device_and_site():
    topics = Topics("D1", "H1")
    assert topics.program("status", "3") == "ate/D1/TestApp/status/site3"
    assert topics.io_request("0") == "ate/D1/TestApp/io-control/site0/request"
    assert topics.handler_status == "ate/H1/Handler/status"
    assert [site_of(topics.control_status("12")), site_of(topics.master_cmd)] == ["12", ""]


def test_a_timeout_that_is_renewed_begins_anew_with_the_event_and_not_with_others():
    timers = Timers()
    site = machine(specification.PER_FRAGMENT, [], timers)
    for event in ("idle", "next", "testing"):
        site.fire(event)
    first = timers.armed[-1]
    site.fire("testing")
    assert timers.armed == [first]
    site.fire("fragment")
    assert len(timers.armed) == 1 and timers.armed[0] is not first
