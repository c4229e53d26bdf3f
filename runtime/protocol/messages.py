"""Payloads of dialect ``semi-ate``, as plain dictionaries, and their JSON text.

Shapes as measured on packages 1.0.17. ``sites`` are strings everywhere; flag fields are integers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, cast

import orjson

from drycell.runtime.forms import dumps, texts

Json = dict[str, Any]
_P = ParamSpec("_P")

OPTION_NAMES = (
    "stop_on_fail",
    "single_step",
    "stop_on_test",
    "trigger_on_test",
    "trigger_on_fail",
    "trigger_site_specific",
)
OPTION_OFF: Json = {"active": False, "value": -1}


class Payload(bytes):
    """A message as text that remembers what it ``says``, so that who hears it in this process need not read it.

    Only what nobody changes is said so: states, results and summaries.
    """

    says: Json


class State(Json):
    """The message of a state, which is said over and over: its text is made once, and nobody may change it."""

    __slots__ = ("text",)
    text: Payload


def said_often(make: Callable[_P, Json]) -> Callable[_P, Json]:
    """Makes equal messages of states once."""

    @lru_cache(maxsize=1024)
    def made(*args: _P.args, **kwargs: _P.kwargs) -> State:
        state = State(make(*args, **kwargs))
        state.text = Payload(dumps(state).encode())
        state.text.says = state
        return state

    return cast(Callable[_P, Json], wraps(make)(made))


def encode(message: Mapping[str, Any]) -> bytes:
    """JSON text in UTF-8; NaN and Infinity appear as those words, as the packages write them."""
    if type(message) is State:
        return message.text
    if type(message.get("payload")) is not list:
        return dumps(message).encode()
    pairs = [f"{key}: {value}" for key, value in zip(texts([*message]), texts([*message.values()]), strict=True)]
    payload = Payload(f"{{{', '.join(pairs)}}}".encode())
    payload.says = dict(message)
    return payload


def decode(payload: bytes) -> Json:
    """The dictionary in ``payload``. Raises ValueError when it is no JSON object in UTF-8."""
    if type(payload) is Payload:
        return payload.says
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:  # Infinity and NaN, which the packages write, or no JSON at all
        message = json.loads(payload)
    if not isinstance(message, dict):
        raise ValueError(f"a JSON object was expected, not {type(message).__name__}")
    return message


def command(name: str, sites: Sequence[str], **extra: Any) -> Json:
    """A command to test programs or controls."""
    return {"type": "cmd", "command": name, "sites": list(sites), **extra}


@said_often
def program_status(state: str) -> Json:
    """A test program's state."""
    return {
        "type": "status",
        "framework_version": 1,
        "test_version": "N/A",
        "payload": {"state": state, "message": ""},
        "state": state,
    }


@said_often
def program_will(payload_state: str | int = "crash") -> Json:
    """A test program's last will."""
    return {**program_status("crash"), "payload": {"state": payload_state}}


@said_often
def control_status(state: str, error_message: str = "") -> Json:
    """A control's state."""
    return {
        "type": "status",
        "interface_version": 1,
        "software_version": 1,
        "payload": {"state": state, "error_message": error_message},
    }


@said_often
def master_status(state: str, message: str | None = None) -> Json:
    """The master's state."""
    return {
        "type": "status",
        "interface_version": 1,
        "state": state,
        "payload": {"state": state, "message": message},
    }


@said_often
def handler_status(state: str, message: str = "") -> Json:
    """The handler's state."""
    return {"type": "status", "payload": {"state": state, "message": message}}


def typed(kind: str, payload: Any) -> Json:
    """Any message that is just a type and its payload."""
    return {"type": kind, "payload": payload}


def job_data(options: Mapping[str, Json], sites_info: Sequence[Json], tests: Sequence[str] = ()) -> Json:
    """The options and devices of one ``next``, and the ``tests`` to run when they are not all."""
    sequence = {"test_sequence": list(tests)} if tests else {}
    told = {name: dict(options.get(name, OPTION_OFF)) for name in OPTION_NAMES}
    return {**told, **sequence, "sites_info": list(sites_info)}


def io_request(peripheral: str, ioctl: str, parameters: Json) -> Json:
    """A test program's request to a peripheral."""
    return {
        "type": "io-control-request",
        "periphery_type": peripheral,
        "ioctl_name": ioctl,
        "parameters": parameters,
    }


def io_response(ioctl: str, result: Any) -> Json:
    """A peripheral's answer."""
    return {"type": "io-control-response", "ioctl_name": ioctl, "result": result}
