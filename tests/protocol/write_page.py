"""Write docs/protocol.md from the protocol tables."""

from pathlib import Path

from drycell.runtime.protocol import quirks, specification
from drycell.runtime.protocol.diagram import markdown
from drycell.runtime.protocol.semi_ate import CONTROL, HANDLER, MASTER, SEQUENCER

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
SEMI_ATE_TABLES = {"Master": MASTER, "Control": CONTROL, "Sequencer": SEQUENCER, "Handler": HANDLER}
SPECIFICATION_TABLES = {
    "Master": specification.MASTER,
    "A test program, as the master sees it": specification.SITE,
    "Sequencer": specification.SEQUENCER,
}
HEAD = """# The protocols

Master, control, handler and test programs talk over MQTT 3.1.1 in JSON. A cell speaks one of two dialects,
`cell: {dialect: specification}` in a scenario or `drycell run --dialect specification`:

- [`semi-ate`](#dialect-semi-ate), the default: what the runtime packages 1.0.17 really do;
- [`specification`](#dialect-specification): what the specification of the sequencer promises.

What each role may do stands in one table per role (`runtime/protocol/semi_ate.py`, `specification.py`). The simulated
peers execute these tables, the [oracles](oracles.md) check announcements against them, and this page is generated from
them (`python -m tests.protocol.write_page`). Timeouts can be overridden by name in a scenario:
`cell: {timeouts: {loading_s: 20}}`.

A row reads `from --> to: event / actions`; `any` stands for every state without a row of its own for that event.
Actions run before the new state is announced, so a command leaves before the state change it causes.

# Dialect semi-ate
"""
QUIRKS = """## Quirks

The real packages (1.0.17) have known defects. drycell's peers are correct; each real behaviour can be switched on by
name, `cell: {quirks: [control-swallows-failure-after-reset]}`, for instance to replay what a floor does.

"""
SPECIFICATION = """# Dialect specification

Control and handler are those of `semi-ate`. This is what differs:

| | `specification` | `semi-ate` |
|---|---|---|
| Result of a device | STDF V4 in Base64 on `ate/<device>/TestApp/stdf/site<S>`, in fragments cut anywhere, between \
`testing` and `idle` | JSON records on `TestApp/testresult`, whole, after `idle` |
| Time for it | 15 s from `testing` to the last fragment and `idle`; the instant itself is in time | 30 s |
| STDF outside of it, incomplete or unreadable | a system error: no `next` until an operator's reset | incomplete or \
unreadable: soft error |
| End of a program | `Shutdown`, after `program_teardown`; without it, exit code 0 is a crash too | `terminated` |
| Start-up error | status `error` with its message, then `program_teardown`, then the end with exit code 1 | the end, \
reported by the control |
| Command that is illegal or not understood | ignored with a warning; `terminate` waits for the end of the device | \
program in `error` |
| A `next` without options | all are off | an error |
| Trigger before test N | before any test | not before the first |
| Actuators | each is asked for `Teardown` once when the master falls into error, and once when the last program of a \
lot has ended | never |
| After an error | who still tests may finish, its result is kept; who is idle is told to terminate | \
nothing until the reset |
| The answer to a proxy | names the requests it answers (`request_ids`) | is told by its ioctl only |
| Which teardown callback runs | is said on the log topic right before: \
`{"type": "teardown", "payload": {"callback": "cycle_teardown", "has_error": false}}` | is not said |

Words of commands are taken in any case, sites as text or number, launch options with hyphens or underscores.

| In a scenario, under `cell` | Does |
|---|---|
| `topics: printed` | commands and states go without `ate/`, STDF on `sitesite<S>`, as the specification prints them; \
both forms are heard |
| `result_window: fragment` | the 15 s count from fragment to fragment, for programs that test longer |
| `timeouts: {results_s: 20}` | other deadlines; the programs do not know them |
| `peripherals: {Magnet: {owner: master}}` | the master drives this one itself, it is there without the TCC |

"""


def page() -> str:
    """The whole page."""
    semi_ate, of_specification = (
        "\n".join(markdown(table, title) for title, table in tables.items())
        for tables in (SEMI_ATE_TABLES, SPECIFICATION_TABLES)
    )
    return f"{HEAD}\n{semi_ate}\n{QUIRKS}{quirks.markdown()}\n\n{SPECIFICATION}{of_specification}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
