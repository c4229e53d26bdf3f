"""The state tables of dialect ``semi-ate``: how the runtime packages 1.0.17 behave, defects left out.

Each known defect of the packages is a quirk (see :mod:`drycell.runtime.protocol.quirks`), not a row here.
Event names are ours; they say what happened, seen from the role itself.
"""

from collections.abc import Sequence
from itertools import chain

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.dialect import Dialect, Json, ProgramWords, StdfTravel
from drycell.runtime.protocol.table import ANY, Table, Timeout, Transition
from drycell.runtime.protocol.topics import Topics

T = Transition

SEQUENCER = Table(
    role="sequencer",
    initial="starting",
    transitions=(
        T("starting", "connected", "idle"),
        T("idle", "init", "selftesting"),
        T("idle", "next", "testing", ("begin_cycle",)),
        T("idle", "terminate", "terminated", ("send_summary", "tear_down")),
        T("idle", "reset", "terminated"),
        T("testing", "done", "idle"),
        T("selftesting", "done", "idle"),
        T(ANY, "fail", "error"),
    ),
    published={name: name for name in ("idle", "testing", "selftesting", "terminated", "error")},
    final=frozenset({"terminated", "error"}),
)

CONTROL = Table(
    role="control",
    initial="idle",
    transitions=(
        T("idle", "load", "loading", ("start_program",)),
        T("loading", "started", "busy"),
        T("loading", "program_missing", "error"),
        T("busy", "ended_well", "idle"),
        T("busy", "ended_badly", "error"),
        T(ANY, "reset", "resetting", ("kill_program",)),
        T("resetting", "program_gone", "idle"),
        T(ANY, "fail", "error"),
    ),
    published={name: name for name in ("idle", "loading", "busy", "error")},
)

MASTER = Table(
    role="master",
    initial="startup",
    transitions=(
        T("startup", "connected", "connecting", ("reset_all",)),
        T("connecting", "controls_idle", "initialized"),
        T("reconnecting", "controls_idle", "initialized"),
        T("initialized", "load", "loading", ("load_programs",)),
        T("loading", "load_refused", "initialized"),
        T("loading", "programs_idle", "ready", ("configure_programs",)),
        T("ready", "next", "awaiting_testing", ("send_next",)),
        T("awaiting_testing", "all_testing", "awaiting_results"),
        T("awaiting_results", "all_results", "ready", ("answer_handler",)),
        T("ready", "unload", "unloading", ("terminate_programs",)),
        T("unloading", "controls_idle", "initialized", ("close_lot",)),
        T("softerror", "reset", "reconnecting", ("reset_all",)),
        T("softerror", "fail", "softerror"),
        T(ANY, "fail", "softerror"),
        T(ANY, "wrong_version", "error"),
    ),
    timeouts=(
        Timeout("startup", "start_s", 300, "fail", "not all sites connected"),
        Timeout("connecting", "start_s", 300, "fail", "not all sites connected"),
        Timeout("reconnecting", "connecting_s", 60, "fail", "not all sites connected after the reset"),
        Timeout("loading", "loading_s", 180, "fail", "not all test programs became idle"),
        Timeout("awaiting_testing", "testing_s", 5, "fail", "not all sites began to test"),
        Timeout("awaiting_results", "results_s", 30, "fail", "not all sites sent their result"),
        Timeout("unloading", "unloading_s", 60, "fail", "not all test programs ended"),
    ),
    published={
        "connecting": "connecting",
        "reconnecting": "connecting",
        "initialized": "initialized",
        "loading": "loading",
        "ready": "ready",
        "awaiting_testing": "testing",
        "awaiting_results": "testing",
        "unloading": "unloading",
        "softerror": "softerror",
        "error": "error",
    },
    final=frozenset({"error"}),
)

HANDLER = Table(
    role="handler",
    initial="startup",
    transitions=(
        T("startup", "connected", "connecting"),
        T("connecting", "master_initialized", "initialized", ("send_layout",)),
        T("initialized", "load", "loading", ("send_load",)),
        T("loading", "master_ready", "ready"),
        T("loading", "master_initialized", "error", ("note_refusal",)),
        T("ready", "touchdown", "testing", ("contact", "send_next")),
        T("testing", "binned", "ready", ("sort",)),
        T("ready", "lot_end", "unloading", ("send_unload",)),
        T("unloading", "master_initialized", "initialized", ("finish_lot",)),
        T("error", "master_connecting", "recovering", ("release",)),
        T("error", "master_initialized", "initialized", ("release", "send_layout")),
        T("error", "master_failed", "error"),
        T("recovering", "master_initialized", "initialized", ("send_layout",)),
        T(ANY, "master_failed", "error"),
        T(ANY, "fail", "error"),
    ),
    timeouts=(
        Timeout("startup", "handler_start_s", 300, "fail", "the master did not become initialized"),
        Timeout("connecting", "handler_start_s", 300, "fail", "the master did not become initialized"),
        Timeout("recovering", "handler_reset_s", 15, "fail", "the master did not come back"),
    ),
    published={
        "connecting": "connecting",
        "initialized": "initialized",
        "loading": "loading",
        "ready": "ready",
        "testing": "testing",
        "unloading": "unloading",
        "error": "error",
        "recovering": "connecting",
    },
)

TABLES = {table.role: table for table in (MASTER, CONTROL, SEQUENCER, HANDLER)}

PERIPHERAL_TIMEOUT_S = 5.0
"""How long master and actuator proxy wait for an io-control answer (timeout name ``peripheral_s``)."""


def _records(payload: bytes) -> list[Json]:
    records = messages.decode(payload).get("payload")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError("a result is not a list of records")
    return records


def _pack(records: Sequence[Json]) -> bytes:
    return messages.encode(messages.typed("testresult", list(records)))


SEMI_ATE = Dialect(
    name="semi-ate",
    tables=TABLES,
    topics=Topics,
    program=ProgramWords(
        status=lambda state, message: messages.program_status(state),
        will=messages.program_will,
        io_request=lambda peripheral, ioctl, parameters, _: messages.io_request(peripheral, ioctl, parameters),
        teardown=lambda callback, has_error: None,
    ),
    stdf=StdfTravel("testresult", False, _pack, _records, lambda pieces: list(chain.from_iterable(pieces))),
    deadlines_s={"peripheral_s": PERIPHERAL_TIMEOUT_S},
    farewell="terminated",
    trigger_lead=1,
)
"""The protocol of the runtime packages 1.0.17."""
