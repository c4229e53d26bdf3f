"""Known defects of the real packages (1.0.17), by name. Ours are correct; a quirk switches one real behaviour on.

A replay of a field failure switches on those of the floor. Each is implemented where its role lives, and tested.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirk:
    """``role`` shows it; ``real`` is what the packages do, ``ours`` what drycell does without the quirk."""

    name: str
    role: str
    real: str
    ours: str


_ALL = (
    Quirk(
        "master-ignores-exit-while-loading",
        "master",
        "a test program that ends with exit code 0 while loading is not noticed; the master waits 180 s",
        "soft error at once, naming the site",
    ),
    Quirk(
        "master-trips-over-late-states",
        "master",
        "while connecting, a busy control or an idle test program is a soft error, also when it only answers late",
        "while connecting, the master waits until every control is idle",
    ),
    Quirk(
        "master-sends-next-for-unknown-site",
        "master",
        "a next for an unknown site is a soft error, but the command is published all the same",
        "soft error, and nothing is published",
    ),
    Quirk(
        "master-waits-for-finished-sites",
        "master",
        "a peripheral is asked only when every released site has requested it, also those that have already finished",
        "sites that have sent their result are not waited for",
    ),
    Quirk(
        "master-ignores-different-requests",
        "master",
        "when sites ask a peripheral for different things, nothing happens and the programs time out after 5 s",
        "soft error, naming both requests",
    ),
    Quirk(
        "master-hides-message",
        "master",
        "a status for an unchanged state is not sent again, even when its message changed",
        "a new message is sent",
    ),
    Quirk(
        "control-repeats-status",
        "control",
        "error is announced twice, and idle once more after a reset",
        "each state is announced once",
    ),
    Quirk(
        "control-echoes-master",
        "control",
        "every status of the master makes each control announce its own state again",
        "a control announces its state when it changes",
    ),
    Quirk(
        "control-swallows-failure-after-reset",
        "control",
        "after a reset, the next failure of the test program is reported as a normal end",
        "every failure is reported",
    ),
    Quirk(
        "handler-commands-qos-0",
        "handler",
        "commands to the master are sent with QoS 0",
        "commands are sent with QoS 2",
    ),
    Quirk(
        "sequencer-reuses-part-id",
        "sequencer",
        "when its site is missing in sites_info, a program silently takes the part id of the device before",
        "the program reports an error",
    ),
    Quirk(
        "sequencer-keeps-options",
        "sequencer",
        "a next without job_data keeps options and part id of the cycle before",
        "the program reports an error",
    ),
    Quirk(
        "sequencer-passes-part-on-stop",
        "sequencer",
        "stop-on-fail ends the cycle before the failure reaches PART_FLG and NUM_TEST: a failed device looks passed",
        "PART_FLG and NUM_TEST include the failing test",
    ),
    Quirk(
        "sequencer-mpr-remembers-failures",
        "sequencer",
        "one MPR value out of limits makes the same output fail for every later device",
        "only the values of the present device count",
    ),
    Quirk(
        "sequencer-repeats-stale-value",
        "sequencer",
        "after an exception, a PTR repeats the value and the flag of the last device that was measured",
        "RESULT is 0 and TEST_FLG says invalid and failed (130)",
    ),
    Quirk(
        "sequencer-compares-unscaled",
        "sequencer",
        "TEST_FLG of a PTR compares the unscaled value with the scaled limits, wrong when exp10 is not 0",
        "TEST_FLG says whether the value lies within the limits",
    ),
    Quirk(
        "sequencer-will-state-0",
        "sequencer",
        "the last will carries payload.state 0",
        "the last will carries payload.state crash",
    ),
)

QUIRKS = {quirk.name: quirk for quirk in _ALL}


def markdown() -> str:
    """The table of all quirks for the docs."""
    rows = [f"| `{q.name}` | {q.role} | {q.real} | {q.ours} |" for q in QUIRKS.values()]
    return "\n".join(["| quirk | role | the real packages | drycell without the quirk |", "|---|---|---|---|", *rows])
