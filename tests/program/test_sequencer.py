"""A program's life as the master sees it: what is said, in which order, in both dialects."""

import json
from typing import Any

import pytest

from drycell.runtime.program import Context, Limit, Program, ProxyError
from tests.program.worlds import (
    BINS,
    CMD,
    SILENCE,
    TERMINATE,
    Heard,
    Meanwhile,
    answer,
    command,
    live,
    log,
    next_part,
    results,
    story,
)

BOTH = pytest.mark.parametrize("dialect", ["specification", "semi-ate"])
FAREWELL = {"specification": "status Shutdown", "semi-ate": "status terminated"}


def measuring(**hooks: Any) -> Program:
    """A program with one good test and the given hooks."""
    program = Program(bins=BINS)

    @program.test(Limit(0, 1, "V"), bin=11)
    def volts(ctx: Context) -> float:
        return 0.5

    for name, function in hooks.items():
        function.__name__ = name
        program.on(function)
    return program


@BOTH
@pytest.mark.row("SEQ-10", "SEQ-11", "SEQ-12", "SEQ-13")
def test_it_connects_subscribes_and_is_idle(dialect: str) -> None:
    world, code = live(measuring(), TERMINATE, dialect=dialect)
    assert world.link is not None
    assert (world.link.client_id, world.link.filters[0]) == ("testapp.cell.0", CMD)
    assert json.loads(world.link.will)["state"] == "crash"
    assert world.said[0][0] == "ate/cell/TestApp/status/site0"
    assert story(world)[0] == "status idle"
    assert (code, world.closed) == (0, True)


@pytest.mark.row("SEQ-17", "SEQ-18", "SEQ-41", "SEQ-42", "SEQ-43", "SEQ-44")
def test_in_the_specification_fragments_come_before_idle() -> None:
    world, _ = live(measuring(), next_part(), TERMINATE)
    assert story(world) == ["status idle", "status testing", "stdf", "stdf", "status idle", "status Shutdown"]
    assert [one["type"] for one in results(world)] == ["PIR", "PTR", "FTR", "PRR"]


def test_in_semi_ate_the_whole_result_follows_idle_as_the_packages_do_it() -> None:
    world, _ = live(measuring(), next_part(), TERMINATE, dialect="semi-ate")
    assert story(world) == [
        "status idle",
        "status testing",
        "status idle",
        "testresult",
        "testsummary",
        "status terminated",
    ]


@BOTH
def test_both_dialects_carry_the_same_records(dialect: str) -> None:
    world, _ = live(measuring(), next_part("D7"), TERMINATE, dialect=dialect)
    pir, ptr, _, prr = results(world, dialect)
    assert (pir["SITE_NUM"], ptr["TEST_TXT"], ptr["RESULT"], prr["PART_ID"]) == (0, "volts", 0.5, "D7")


@BOTH
@pytest.mark.row("SEQ-15", "SEQ-16")
def test_a_next_for_other_sites_is_none_of_its_business(dialect: str) -> None:
    world, _ = live(measuring(), next_part(sites=("1", "2")), TERMINATE, dialect=dialect)
    assert "status testing" not in story(world)


@pytest.mark.row("SEQ-22", "SEQ-24")
def test_options_hold_for_one_cycle_and_unknown_ones_are_handed_to_the_program() -> None:
    program = Program(bins=BINS)
    seen: list[Any] = []

    @program.test(bin=11)
    def look(ctx: Context) -> None:
        seen.append((ctx.options.stop_on_fail, ctx.options.given["single_step"].active))

    live(program, next_part(stop_on_fail=1, single_step=1), next_part(), TERMINATE)
    assert seen == [(True, True), (False, False)]


@BOTH
@pytest.mark.row("SEQ-48")
def test_the_cycle_teardown_runs_after_each_device_and_before_idle(dialect: str) -> None:
    said: list[list[str]] = []
    program = measuring(cycle_teardown=lambda ctx, has_error: said.append(story(world_of(ctx))))
    live(program, next_part(), next_part(), TERMINATE, dialect=dialect)
    assert len(said) == 2
    assert "status testing" in said[0][-3:] and said[0][-1] != "status idle"


def world_of(ctx: Context) -> Any:
    return ctx._world


@pytest.mark.row("SEQ-52")
@pytest.mark.parametrize(("value", "has_error"), [(0.5, False), (7.0, False), (float("nan"), False), ("x", True)])
def test_has_error_is_for_exceptions_only(value: Any, has_error: bool) -> None:
    told: list[bool] = []
    program = Program(bins=BINS)
    program.test(Limit(0, 1), bin=11)(lambda ctx: value)

    @program.on
    def cycle_teardown(ctx: Context, has_error: bool) -> None:
        told.append(has_error)

    world, _ = live(program, next_part(), TERMINATE)
    assert told == [has_error]
    assert {"callback": "cycle_teardown", "has_error": has_error} in log(world)


@BOTH
@pytest.mark.row("SEQ-47", "SEQ-55", "SEQ-56", "SEQ-57")
def test_the_program_teardown_runs_once_before_the_farewell(dialect: str) -> None:
    before: list[list[str]] = []
    program = measuring(program_teardown=lambda ctx: before.append(story(world_of(ctx))))
    world, code = live(program, next_part(), TERMINATE, dialect=dialect)
    assert len(before) == 1 and FAREWELL[dialect] not in before[0]
    assert (story(world)[-1], code) == (FAREWELL[dialect], 0)


def test_a_reset_of_semi_ate_tears_the_program_down_too() -> None:
    called: list[str] = []
    program = measuring(program_teardown=lambda ctx: called.append("program_teardown"))
    world, code = live(program, command("reset"), dialect="semi-ate")
    assert (story(world)[-1], called, code) == ("status terminated", ["program_teardown"], 0)


@BOTH
@pytest.mark.row("SEQ-50")
def test_a_start_up_error_is_reported_then_torn_down_then_the_end(dialect: str) -> None:
    called: list[list[str]] = []

    def broken(ctx: Context) -> None:
        raise OSError("no card in slot 3")

    program = measuring(setup=broken, program_teardown=lambda ctx: called.append(story(world_of(ctx))))
    world, code = live(program, dialect=dialect)
    assert story(world) == ["status error"]
    assert called == [["status error"]] and code == 1
    assert any("no card in slot 3" in str(line) for line in log(world))
    if dialect == "specification":
        status = json.loads(next(payload for topic, payload in world.said if "status" in topic))
        assert status["payload"]["message"] == "setup: OSError: no card in slot 3"


def test_a_bin_table_of_the_master_without_our_bins_is_a_start_up_error() -> None:
    world, code = live(measuring(), bin_table={1: (1,), 0: (0,)})
    assert (story(world), code) == (["status error"], 1)
    assert any("no hard bin for soft bins [10, 11, 12]" in str(line) for line in log(world))


def test_a_cycle_teardown_that_raises_is_an_error_and_the_program_still_shuts_down() -> None:
    called: list[str] = []

    def broken(ctx: Context, has_error: bool) -> None:
        raise RuntimeError("supply does not ramp down")

    program = measuring(cycle_teardown=broken, program_teardown=lambda ctx: called.append("program"))
    world, _ = live(program, next_part(), TERMINATE)
    assert story(world)[-2:] == ["status error", "status Shutdown"] and called == ["program"]


def test_a_program_teardown_that_raises_does_not_prevent_the_farewell() -> None:
    def broken(ctx: Context) -> None:
        raise RuntimeError("gone already")

    world, _ = live(measuring(program_teardown=broken), TERMINATE)
    assert story(world)[-2:] == ["status error", "status Shutdown"]


@pytest.mark.row("SEQ-55")
def test_terminate_while_testing_is_followed_after_the_device() -> None:
    world, code = live(measuring(), next_part(), Meanwhile(TERMINATE))
    assert story(world)[-3:] == ["stdf", "status idle", "status Shutdown"] and code == 0


def test_next_while_testing_is_ignored_by_the_specification_and_an_error_in_semi_ate() -> None:
    world, _ = live(measuring(), next_part("1"), Meanwhile(next_part("2")), TERMINATE)
    assert [one["PART_ID"] for one in results(world) if one["type"] == "PRR"] == ["1"]
    world, code = live(measuring(), next_part("1"), Meanwhile(next_part("2")), dialect="semi-ate")
    assert (story(world)[-1], code) == ("status error", 1)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b"\xff", b'{"type":"cmd"}', b'{"type":"cmd","command":1,"sites":["0"]}']
)
def test_a_command_that_is_none_is_ignored_with_a_warning(payload: bytes) -> None:
    world, code = live(measuring(), Heard(CMD, payload), TERMINATE)
    assert code == 0 and any("WARNING" in str(line) for line in log(world))


@pytest.mark.parametrize(
    "job_data",
    [{"stop_on_fail": True}, {"stop_on_fail": {"active": 1}}, {"test_sequence": ["nobody"]}, {"test_sequence": 3}],
)
def test_a_next_with_wrong_options_tests_nothing(job_data: dict[str, Any]) -> None:
    world, _ = live(measuring(), command("next", job_data=job_data), TERMINATE)
    assert "status testing" not in story(world)
    assert any("command next cannot be followed" in str(line) for line in log(world))


def test_the_state_is_said_again_when_the_connection_is_back() -> None:
    world, _ = live(measuring(), Heard("", b""), TERMINATE)
    assert story(world)[:2] == ["status idle", "status idle"]


def test_the_master_may_set_what_has_a_range() -> None:
    program = Program(bins=BINS)
    seen: list[float] = []

    @program.test(bin=11, ranges={"volts": (0, 5)})
    def look(ctx: Context, volts: float = 1.0, amps: float = 2.0) -> None:
        seen.append(volts)

    def setting(name: str, value: float) -> Heard:
        return command("setparameter", parameters=[{"parametername": name, "value": value}])

    live(program, next_part(), setting("look.volts", 5), next_part(), TERMINATE, dialect="semi-ate")
    assert seen == [1.0, 5.0]
    for name, value in (("look.volts", 5.1), ("look.amps", 2.0), ("nobody.volts", 1.0)):
        world, _ = live(program, setting(name, value), dialect="semi-ate")
        assert story(world)[-1] == "status error"


# proxies ------------------------------------------------------------------------------------------------------------


def heating(timeout: float = 5.0) -> Program:
    program = Program(bins=BINS)

    @program.test(bin=11)
    def heat(ctx: Context) -> None:
        ctx.get_actuator_proxy("Chamber").set_temperature(temperature=[85], timeout=timeout)

    return program


OK = answer("set_temperature", {"status": "ok"})


@BOTH
@pytest.mark.row("SEQ-26", "SEQ-27", "SEQ-28", "SEQ-30", "SEQ-36", "SEQ-38", "SEQ-39")
def test_a_proxy_asks_the_master_and_waits_for_the_answer_of_its_name(dialect: str) -> None:
    other = answer("read", {"status": "ok"})
    world, _ = live(heating(), next_part(), other, OK, TERMINATE, dialect=dialect)
    topic, payload = next(one for one in world.said if "io-control" in one[0])
    request = json.loads(payload)
    assert topic == "ate/cell/TestApp/io-control/site0/request"
    assert (request["periphery_type"], request["ioctl_name"]) == ("Chamber", "set_temperature")
    assert request["parameters"] == {"temperature": [85]}
    assert results(world, dialect)[1]["TEST_FLG"] == 0


@BOTH
def test_a_proxy_without_answer_fails_its_test_and_the_next_device_is_fine(dialect: str) -> None:
    late = Meanwhile(OK)  # the answer to the first request comes when nobody waits for it any more
    world, code = live(heating(2.0), next_part("1"), SILENCE, late, next_part("2"), OK, TERMINATE, dialect=dialect)
    flags = [one["TEST_FLG"] for one in results(world, dialect) if one["type"] == "FTR"]
    assert (flags, code) == ([1, 0], 0)
    assert any("no answer within 2 s" in str(line) for line in log(world))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("Timeout", "Timeout"),
        ({"status": "error", "error_message": "door open"}, "door open"),
        ({"status": "x"}, "x"),
    ],
)
def test_a_refusal_is_an_exception_with_its_reason(result: Any, said: str) -> None:
    caught: list[str] = []
    program = Program(bins=BINS)

    @program.test(bin=11)
    def heat(ctx: Context) -> None:
        try:
            ctx.get_proxy("Chamber").heat()
        except ProxyError as error:
            caught.append(str(error))

    live(program, next_part(), answer("heat", result), TERMINATE)
    assert caught == [f"peripheral Chamber did not carry out heat: {said}"]


def test_the_answer_of_a_proxy_is_its_result() -> None:
    got: list[Any] = []
    program = Program(bins=BINS)

    @program.test(bin=11)
    def read(ctx: Context) -> None:
        got.append(ctx.get_instrument_proxy("Chamber").read())

    live(program, next_part(), answer("read", {"status": "ok", "value": 24.5}), TERMINATE)
    assert got == [{"status": "ok", "value": 24.5}]
