"""Promises about the records of one device: their order, and that flags, bins and values agree with each other.

Rules (STDF V4; semi-ate, section 6): the FTR carries the verdict of its test over the outputs before it; 128 failed,
1 ended by an exception; limits are inclusive and in the unit of RESULT; soft bins 1 to 9 are good devices.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.results import ENDED, FAILED, INVALID, Output, PartResult, RanTest

GOOD_BINS = range(1, 10)


def _in_order(facts: Facts) -> Iterator[Case]:
    """PIR, for each test its PTR and MPR and then one FTR, PRR; all of one site."""
    order: dict[int, int] = {}
    for touchdown in facts.story.touchdowns:
        for site, results in touchdown.results.items():
            if touchdown.meddled(site):
                continue
            for result in results:
                yield _result_in_order(result, order)


def _result_in_order(result: PartResult, order: dict[int, int]) -> Case:
    if result.fault:
        return Breach(f"the program of site {result.site} sent a result out of order: {result.fault};", result.event)
    numbers = [test.number for test in result.tests]
    places = [order.setdefault(number, len(order)) for number in numbers]
    if places != sorted(places):
        return Breach(f"the program of site {result.site} ran its tests in another order, {numbers},", result.event)
    return None


def _verdicts(facts: Facts) -> Iterator[Case]:
    for _, result in facts.story.reported:
        for test in result.tests:
            if test.flag & ENDED or not test.outputs:
                continue
            outside = next((output for output in test.outputs if not output.inside), None)
            if (test.flag & FAILED != 0) == (outside is not None):
                yield None
            else:
                yield Breach(_verdict_text(result, test, outside), result.event)


def _verdict_text(result: PartResult, test: RanTest, outside: Output | None) -> str:
    who = f"the program of site {result.site} says test {test.number} of part {result.part}"
    if outside is None:
        return f"{who} failed, but all its values are within their limits"
    return f"{who} passed, but {_shown(outside)}"


def _shown(output: Output) -> str:
    values = [f"{value:g}" for value in output.values]
    shown = ", ".join(values[:5]) + (", ..." if len(values) > 5 else "")
    where = "within" if output.inside else "not within"
    return f"{output.name} = {shown} is {where} {output.low} to {output.high}"


def _flags(facts: Facts) -> Iterator[Case]:
    for _, result in facts.story.reported:
        for test in result.tests:
            for output in test.outputs:
                if output.flag & INVALID or test.flag & ENDED:
                    continue
                if (output.flag & FAILED != 0) != output.inside:
                    yield None
                    continue
                said = "failed" if output.flag & FAILED else "passed"
                who = f"the program of site {result.site}, part {result.part}"
                yield Breach(f"{who}: TEST_FLG says {said}, but {_shown(output)}", result.event)


def _parts(facts: Facts) -> Iterator[Case]:
    """PART_FLG, NUM_TEST and bins follow from the tests and from the bin table of the lot."""
    tables = _BinTables(facts)
    for touchdown, result in facts.story.reported:
        stopped = result.failing is not None and bool(touchdown.option("stop_on_fail"))
        begun = result.event if touchdown.asked is None else touchdown.asked.event
        text = _part_text(result, tables.during(result.site, begun.seq, result.event.seq), stopped)
        yield Breach(f"the program of site {result.site}, part {result.part}: {text}", result.event) if text else None


def _part_text(result: PartResult, tables: Sequence[Mapping[int, int]], stopped: bool) -> str:
    failing = result.failing
    good_bin = result.soft_bin in GOOD_BINS
    if good_bin and failing is not None:
        return f"soft bin {result.soft_bin} is for good devices, but test {result.tests[failing].number} failed"
    if not good_bin and failing is None and result.tests:
        return f"soft bin {result.soft_bin} is for failed devices, but no test failed"
    hard_bins = [table.get(result.soft_bin) for table in tables if table]
    if hard_bins and result.hard_bin not in hard_bins:
        return f"soft bin {result.soft_bin} belongs to hard bin {hard_bins[-1]}, not {result.hard_bin}"
    if stopped:
        return ""  # what stop_on_fail does to the flags is another promise
    if result.passed != (failing is None):
        said = "passed" if result.passed else "failed"
        return f"PART_FLG {result.part_flag} says {said}, its tests say otherwise"
    if result.num_test not in (-1, result.outputs):
        return f"NUM_TEST is {result.num_test}, but it has {result.outputs} results"
    return ""


def _equal_failures(facts: Facts) -> Iterator[Case]:
    """Two failed devices whose tests came out alike, output by output, are in the same soft bin."""
    first: dict[Hashable, PartResult] = {}
    for _, result in facts.story.reported:
        if result.failing is None:
            continue
        other = first.setdefault(tuple(map(_outcome, result.tests)), result)
        if other.soft_bin == result.soft_bin:
            yield None
            continue
        text = (
            f"part {result.part} of site {result.site} failed the same outputs as part {other.part} of site "
            f"{other.site}, but is in soft bin {result.soft_bin}, not {other.soft_bin}"
        )
        yield Breach(f"the program of site {result.site} erred: {text}", result.event, (other.event,))


def _outcome(test: RanTest) -> Hashable:
    """How a test came out: its flag, and for each output whether it lies within its limits, and the limits."""
    return test.number, test.flag, tuple((one.name, one.inside, one.low, one.high) for one in test.outputs)


class _BinTables:
    """Soft bin -> hard bin as the program of each site knows it, from ``loadTest`` and the ``sethbin`` that it heard.

    A table that changes while a device is tested may or may not be the one that it is binned by.
    """

    def __init__(self, facts: Facts) -> None:
        self._changes = list(_changes(facts))
        self._launched = _seqs_by_site(facts.of_kind("launch"))
        listening = (e for e in facts.of_kind("subscribe") if e.fields["topic_filter"] == facts.topics.program_cmd)
        self._subscribed = _seqs_by_site(listening)
        self._of_site: dict[str, tuple[list[int], list[Mapping[int, int]]]] = {}

    def during(self, site: str, first_seq: int, last_seq: int) -> Sequence[Mapping[int, int]]:
        """The tables that held at ``site`` from event ``first_seq`` to ``last_seq``, the latest last."""
        if site not in self._of_site:
            self._of_site[site] = self._tables(site)
        since, tables = self._of_site[site]
        return tables[bisect_left(since, first_seq) - 1 : bisect_left(since, last_seq)]

    def _tables(self, site: str) -> tuple[list[int], list[Mapping[int, int]]]:
        since, tables = [0], [dict[int, int]()]
        for seq, fresh, table in self._changes:
            if fresh or self._hears(site, seq):
                since.append(seq)
                tables.append({**({} if fresh else tables[-1]), **table})
        return since, list(tables)

    def _hears(self, site: str, seq: int) -> bool:
        """Whether the program of ``site`` had subscribed to commands since it was launched."""
        launched, subscribed = self._launched.get(site, []), self._subscribed.get(site, [])
        before, listened = bisect_left(launched, seq), bisect_left(subscribed, seq)
        return listened > 0 and (before == 0 or subscribed[listened - 1] > launched[before - 1])


def _seqs_by_site(events: Iterable[Event]) -> dict[str, list[int]]:
    """Numbers of the events of programs (``program0``) and of their clients (``testapp.demo.0``), by site."""
    found: dict[str, list[int]] = {}
    for event in events:
        site = event.actor.rpartition(".")[2].removeprefix("program")
        found.setdefault(site, []).append(event.seq)
    return found


def _changes(facts: Facts) -> Iterator[tuple[int, bool, dict[int, int]]]:
    for heard in facts.heard("Control/cmd", "TestApp/cmd"):
        content = heard.content or {}
        try:
            if content.get("command") == "loadTest":
                table: Mapping[str, Any] = content["testapp_params"]["bin_table"]
                yield heard.event.seq, True, {int(soft): int(hard) for hard, softs in table.items() for soft in softs}
            elif content.get("command") == "sethbin":
                yield heard.event.seq, False, {int(content["sbin"]): int(content["hbin"])}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue


RECORD_ORACLES = (
    Oracle(
        "records are in order",
        "A result is PIR, then for each test its PTR and MPR and one FTR, then PRR, all of its own site; tests keep "
        "their order.",
        cases(_in_order, held="{count} results have their records in order", unknown="no result came"),
        "a result in a touchdown",
    ),
    Oracle(
        "tests follow their limits",
        "A test fails exactly when one of its values lies outside the limits in its record.",
        cases(_verdicts, held="{count} tests agree with their limits", unknown="no test with values was reported"),
        "a test with values that did not end by an exception",
    ),
    Oracle(
        "flags follow the limits",
        "TEST_FLG of each PTR and MPR says failed exactly when its value lies outside its limits.",
        cases(_flags, held="{count} values have the right flag", unknown="no value was reported"),
        "a valid PTR or MPR",
        ambient=False,
    ),
    Oracle(
        "devices follow their tests",
        "Soft bin, hard bin, PART_FLG and NUM_TEST follow from the device's tests and the lot's bin table.",
        cases(_parts, held="{count} devices have the flag and bins of their tests", unknown="no device was tested"),
        "a result with a PRR",
    ),
    Oracle(
        "equal failures get equal bins",
        "Two devices that failed the same outputs against the same limits are in the same soft bin.",
        cases(
            _equal_failures,
            held="{count} failed devices are in the soft bin of those that failed alike",
            unknown="no device failed",
        ),
        "a failed device",
    ),
)
