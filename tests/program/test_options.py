"""Property: whatever options any sequence of cycles has, each cycle obeys its own and no other's."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.runtime.program import Context, Program
from drycell.runtime.protocol.dialects import DIALECTS
from tests.program.worlds import BINS, TERMINATE, live, next_part, results

TESTS = ("one", "two", "three")
ACTIVE = st.booleans()
CYCLE = st.fixed_dictionaries(
    {"fails": st.sets(st.sampled_from(TESTS))},
    optional={
        "stop_on_fail": ACTIVE,
        "trigger_on_fail": ACTIVE,
        "trigger_on_test": st.integers(0, 4),
        "single_step": ACTIVE,
    },
)


def program_of(cycles: list[dict[str, Any]]) -> Program:
    program = Program(bins=BINS)
    for name in TESTS:

        def function(ctx: Context, name: str = name) -> bool:
            return name not in cycles[int(ctx.part_id)]["fails"]

        program.test(bin=11)(_without_inputs(name, function))
    return program


def _without_inputs(name: str, function: Any) -> Any:
    def test(ctx: Context) -> bool:
        return bool(function(ctx))

    test.__name__ = name
    return test


def expected(cycle: dict[str, Any], lead: int) -> tuple[list[int], list[tuple[str, int]]]:
    """The tests that run, by number, and the pulses of the trigger."""
    numbers: list[int] = []
    pulses: list[tuple[str, int]] = []
    for index, name in enumerate(TESTS):
        if not lead and cycle.get("trigger_on_test") == index:
            pulses.append(("test", index))
        numbers.append(100 * (index + 1))
        failed = name in cycle["fails"]
        if failed and cycle.get("trigger_on_fail"):
            pulses.append(("fail", index))
        if lead and cycle.get("trigger_on_test") == index + 1:
            pulses.append(("test", index))
        if failed and cycle.get("stop_on_fail"):
            break
    return numbers, pulses


@pytest.mark.row("SEQ-23", "SEQ-24")
@pytest.mark.parametrize("dialect", ["specification", "semi-ate"])
@settings(max_examples=60, deadline=None)
@given(cycles=st.lists(CYCLE, min_size=1, max_size=6))
def test_each_cycle_obeys_its_own_options(dialect: str, cycles: list[dict[str, Any]]) -> None:
    nexts = [
        next_part(str(number), **{key: value for key, value in cycle.items() if key != "fails"})
        for number, cycle in enumerate(cycles)
    ]
    world, _ = live(program_of(cycles), *nexts, TERMINATE, dialect=dialect)
    ran: list[list[int]] = []
    for one in results(world, dialect):
        if one["type"] == "PIR":
            ran.append([])
        elif one["type"] == "FTR":
            ran[-1].append(one["TEST_NUM"])
    pulses: list[list[tuple[object, object]]] = []
    for kind, facts in world.notes:
        if kind == "state" and facts["to"] == "testing":
            pulses.append([])
        elif kind == "trigger":
            pulses[-1].append((facts["cause"], facts["test"]))
    assert list(zip(ran, pulses, strict=True)) == [
        expected(cycle, DIALECTS[dialect].trigger_lead) for cycle in cycles
    ]
