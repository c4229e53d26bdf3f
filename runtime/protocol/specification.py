"""Dialect ``specification``: what the sequencer specification promises, as tables, messages and a value.

Rules (rows SEQ of the specification; where it is silent or contradicts itself, the ruling stands beside the rule)
- A program connects, subscribes to commands, announces ``idle`` when it is ready; ``Next`` makes it ``testing`` and
  then ``idle`` again; ``Terminate`` makes it tear down, announce ``Shutdown`` and end with exit code 0.
- STDF comes in Base64 fragments, cut anywhere, at any time between ``testing`` and ``idle``, and never after it.
- From ``testing`` to the last fragment and ``idle`` a site has 15 s; that very instant is still in time.
- A command that is illegal, malformed or for other sites is ignored with a warning; it never ends a program.
- In error the master sends no ``Next`` until a reset; every actuator gets the ioctl ``Teardown`` once for each time
  the master falls into error, and once at the end of a lot when all programs have ended.
- Words of commands are taken in any case and sites in any type, and are sent in lower case and as text.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drycell.runtime.protocol import messages, semi_ate
from drycell.runtime.protocol.dialect import Dialect, Json, ProgramWords, StdfTravel
from drycell.runtime.protocol.table import ANY, Table, Timeout, Transition
from drycell.runtime.protocol.topics import PrintedTopics, Topics
from drycell.runtime.stdf import LENIENT, LITTLE, Encoder, StdfError, from_json, read, record, to_json

T = Transition

# tables ------------------------------------------------------------------------------------------------------------

SEQUENCER = Table(
    role="sequencer",
    initial="starting",
    transitions=(
        T("starting", "connected", "preparing"),
        T("preparing", "prepared", "idle"),
        T("preparing", "fail", "broken"),
        T("broken", "reported", "leaving", ("program_teardown",)),
        T("idle", "next", "testing", ("begin_cycle",)),
        T("idle", "terminate", "terminating", ("program_teardown",)),
        T("testing", "terminate", "testing", ("defer_terminate",)),
        T("testing", "done", "clearing", ("cycle_teardown",)),
        T("clearing", "terminate", "clearing", ("defer_terminate",)),
        T("clearing", "torn_down", "idle"),
        T("clearing", "fail", "error"),
        T("error", "terminate", "terminating", ("program_teardown",)),
        T("terminating", "torn_down", "shutdown"),
        T("terminating", "fail", "stumbling"),
        T("stumbling", "torn_down", "shutdown"),
    ),
    published={
        "idle": "idle",
        "testing": "testing",
        "broken": "error",
        "error": "error",
        "stumbling": "error",
        "shutdown": "Shutdown",
    },
    final=frozenset({"shutdown", "leaving"}),
)
"""A test program. ``broken``: its start-up raised; ``error``, ``stumbling``: the teardown callback of a cycle or of
the program raised, which prevents nothing that follows."""

SITE = Table(
    role="site",
    initial="away",
    transitions=(
        T("away", "idle", "idle"),
        T("idle", "idle", "idle"),
        T("idle", "next", "released"),
        T("released", "idle", "released"),
        T("released", "testing", "testing", ("begin_result",)),
        T("testing", "testing", "testing"),
        T("testing", "fragment", "testing", ("keep_fragment",)),
        T("testing", "idle", "idle", ("take_result",)),
        T("idle", "terminate", "ending"),
        T("ending", "shutdown", "shutdown"),
        T("shutdown", "exited", "gone"),
        T("released", "late", "lost", ("report_late",)),
        T("testing", "late", "lost", ("report_late",)),
        T("ending", "late", "lost", ("report_late",)),
        T(ANY, "failed", "failed"),
        T(ANY, "crashed", "lost"),
        T(ANY, "exited", "lost"),
    ),
    timeouts=(
        Timeout("released", "testing_s", 5, "late", "did not begin to test"),
        Timeout("testing", "results_s", 15, "late", "did not finish its result"),
        Timeout("ending", "unloading_s", 60, "late", "did not shut down"),
    ),
    final=frozenset({"gone", "lost"}),
)
"""One test program as the master sees it. Whatever has no row here is a system error."""

PER_FRAGMENT = Table(
    role=SITE.role,
    initial=SITE.initial,
    transitions=SITE.transitions,
    timeouts=tuple(
        Timeout(row.state, row.name, row.seconds, row.event, row.message, frozenset({"fragment"}))
        if row.state == "testing"
        else row
        for row in SITE.timeouts
    ),
    final=SITE.final,
)
"""The same, with 15 s from each fragment to the next: for programs that test longer than that."""

MASTER = Table(
    role="master",
    initial="startup",
    transitions=(
        T("startup", "connected", "connecting", ("reset_all",)),
        T("connecting", "controls_idle", "initialized"),
        T("reconnecting", "controls_idle", "initialized"),
        T("initialized", "load", "loading", ("load_programs",)),
        T("loading", "load_refused", "initialized"),
        T("loading", "programs_idle", "ready"),
        T("ready", "next", "testing", ("send_next",)),
        T("testing", "results_complete", "ready", ("answer_handler",)),
        T("ready", "unload", "unloading", ("terminate_programs",)),
        T("unloading", "programs_gone", "parking", ("tear_down_actuators",)),
        T("parking", "torn_down", "initialized", ("close_lot",)),
        T("parking", "fail", "softerror"),
        T("softerror", "fail", "softerror"),
        T("softerror", "reset", "reconnecting", ("reset_all",)),
        T(ANY, "fail", "softerror", ("tear_down_actuators", "dismiss_programs")),
    ),
    timeouts=(
        Timeout("startup", "start_s", 300, "fail", "not all sites connected"),
        Timeout("connecting", "start_s", 300, "fail", "not all sites connected"),
        Timeout("reconnecting", "connecting_s", 20, "fail", "not all sites connected after the reset"),
        Timeout("loading", "loading_s", 180, "fail", "not all test programs became idle"),
        Timeout("unloading", "unloading_s", 60, "fail", "not all test programs ended"),
    ),
    published={
        "connecting": "connecting",
        "reconnecting": "connecting",
        "initialized": "initialized",
        "loading": "loading",
        "ready": "ready",
        "testing": "testing",
        "unloading": "unloading",
        "parking": "unloading",
        "softerror": "error",
    },
)

TABLES = {table.role: table for table in (MASTER, SITE, semi_ate.CONTROL, SEQUENCER, semi_ate.HANDLER)}

# commands ----------------------------------------------------------------------------------------------------------

LAUNCH_OPTIONS = ("device_id", "site_id", "broker_host", "broker_port", "parent-pid")
"""What a program is started with, as printed; hyphen and underscore mean the same, further options are passed on."""

TEARDOWN = "Teardown"
"""The ioctl that every actuator understands."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to test programs. ``name`` is in lower case; ``content`` is the whole message."""

    name: str
    sites: tuple[str, ...]
    content: Json


def read_command(payload: bytes) -> Command:
    """The command in ``payload``. Raises ValueError in words when there is none."""
    content = messages.decode(payload)
    name, sites = content.get("command"), content.get("sites")
    if str(content.get("type")).lower() != "cmd" or not isinstance(name, str) or not isinstance(sites, list):
        raise ValueError("a command has type cmd, a command and a list of sites")
    return Command(name.lower(), tuple(str(site) for site in sites), content)


@dataclass(frozen=True, slots=True)
class Option:
    """One test option. ``value`` is -1 where it means nothing."""

    active: bool = False
    value: int = -1


def read_options(job_data: Mapping[str, Any] | None) -> dict[str, Option]:
    """The options that a ``Next`` came with, complete: one that is missing is off, never that of the cycle before.

    Further options of the same shape are passed on. Raises ValueError in words for an option of another shape.
    """
    found = {name: Option() for name in messages.OPTION_NAMES}
    for name, entry in (job_data or {}).items():
        if name in found or (isinstance(entry, dict) and "active" in entry):
            found[name] = _option(name, entry)
    return found


def _option(name: str, entry: object) -> Option:
    active = entry.get("active") if isinstance(entry, dict) else None
    value = entry.get("value", -1) if isinstance(entry, dict) else None
    if not isinstance(active, bool) or not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"option {name} is {entry!r}, not of the form {{active: true or false, value: number}}")
    return Option(active, value)


def read_part(job_data: Mapping[str, Any] | None, site: str) -> str:
    """The part id that a ``Next`` names for ``site``, empty when it names none."""
    infos = (job_data or {}).get("sites_info")
    for info in infos if isinstance(infos, list) else ():
        if isinstance(info, dict) and str(info.get("siteid")) == site:
            return str(info.get("partid", ""))
    return ""


# status and log ----------------------------------------------------------------------------------------------------


@messages.said_often
def program_status(state: str, message: str = "") -> Json:
    """A test program's state; ``message`` says why it is ``error``."""
    return {**messages.program_status(state), "payload": {"state": state, "message": message}}


def teardown_ran(callback: str, has_error: bool | None = None) -> Json:
    """On the log topic, before a teardown callback runs: which, and what a cycle teardown is told."""
    told = {} if has_error is None else {"has_error": has_error}
    return messages.typed("teardown", {"callback": callback, **told})


# STDF --------------------------------------------------------------------------------------------------------------

MAX_RESULT_BYTES = 16 * 1024 * 1024
"""The STDF of one device that a master takes at most."""

_FAR = Encoder(LITTLE).encode(record("FAR", CPU_TYPE=2, STDF_VER=4))


def fragment(data: bytes) -> bytes:
    """The payload of one fragment: ``data`` in Base64."""
    return base64.b64encode(data)


def read_fragment(payload: bytes) -> bytes:
    """The STDF bytes in ``payload``. Raises ValueError in words when it is no Base64."""
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is no Base64 ({error})") from None


def stdf_bytes(records: Sequence[Json]) -> bytes:
    """STDF V4, little endian, of JSON records. Raises StdfError for what is no record."""
    encoder = Encoder(LITTLE, LENIENT)
    return b"".join(encoder.encode(from_json(one)) for one in records)


def read_records(pieces: Sequence[bytes]) -> list[Json]:
    """The JSON records in the fragments of one device. Raises ValueError in words when they are no whole records."""
    try:
        return [to_json(one) for one in list(read(_FAR + b"".join(pieces)))[1:]]
    except StdfError as error:
        raise ValueError(f"it is no STDF behind a FAR: {error}") from None


# peripherals -------------------------------------------------------------------------------------------------------


def io_request(peripheral: str, ioctl: str, parameters: Json, request_id: str = "") -> Json:
    """A proxy's request; with ``request_id`` its answer can be told from a late one to an earlier request."""
    request = messages.io_request(peripheral, ioctl, parameters)
    return {**request, "request_id": request_id} if request_id else request


def relayed_request(request: Mapping[str, Any], request_ids: Sequence[str]) -> Json:
    """What the master asks a peripheral in the name of all sites that asked it the same."""
    asked = {"type": "io-control-request", "ioctl_name": request["ioctl_name"], "parameters": request["parameters"]}
    return {**asked, "request_ids": list(request_ids)} if request_ids else asked


def io_response(ioctl: str, result: Any, request_ids: Sequence[str] = ()) -> Json:
    """The answer to the requests of all sites that had asked the same."""
    response = messages.io_response(ioctl, result)
    return {**response, "request_ids": list(request_ids)} if request_ids else response


def answers(response: Mapping[str, Any], ioctl: str, request_id: str) -> bool:
    """Whether ``response`` answers this request; one without request ids answers every request of its name."""
    ids = response.get("request_ids")
    return response.get("ioctl_name") == ioctl and (not isinstance(ids, list) or not ids or request_id in ids)


def is_io_request(content: Mapping[str, Any]) -> bool:
    """Whether ``content`` asks a peripheral, whose name can be a level of a topic, for something."""
    peripheral, ioctl, parameters = (content.get(key) for key in ("periphery_type", "ioctl_name", "parameters"))
    named = isinstance(peripheral, str) and peripheral and not any(mark in peripheral for mark in "/+#\0")
    return bool(named) and isinstance(ioctl, str) and isinstance(parameters, dict)


def refusal(response: Mapping[str, Any]) -> str:
    """Why the peripheral did not do what it was asked, empty when it did."""
    result = response.get("result")
    if isinstance(result, str) and result.lower() == "timeout":
        return "timeout"
    status = result.get("status", "ok") if isinstance(result, dict) else "ok"
    if status == "ok":
        return ""
    reason = result.get("error_message") if isinstance(result, dict) else ""
    return f"{status}: {reason}" if reason else str(status)


# the value ---------------------------------------------------------------------------------------------------------

SPECIFICATION = Dialect(
    name="specification",
    tables=TABLES,
    topics=Topics,
    program=ProgramWords(
        status=program_status, will=messages.program_will, io_request=io_request, teardown=teardown_ran
    ),
    stdf=StdfTravel("stdf", True, lambda records: fragment(stdf_bytes(records)), read_fragment, read_records),
    deadlines_s={"peripheral_s": 5.0},
    farewell="Shutdown",
    trigger_lead=0,
)
"""The protocol of the sequencer specification."""


def per_fragment(dialect: Dialect) -> Dialect:
    """``dialect`` with ``results_s`` from each fragment to the next."""
    return replace(dialect, tables={**dialect.tables, PER_FRAGMENT.role: PER_FRAGMENT})


AS_PRINTED = replace(SPECIFICATION, topics=PrintedTopics)
"""The same with its topics as they are printed: the compatibility switch."""
