"""One line of plain words for every event: the text of timelines, listings and stories.

Rules
- A table of kinds; an unknown kind is shown with its fields, so that nothing is hidden.
- One line is one line: control characters are replaced, long texts are cut.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from signal import Signals
from typing import Any

import orjson

from drycell.sim.kernel.journal import Event

LONGEST = 160
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

LETTERS: Mapping[str, str] = {
    "state": "s",
    "message": "m",
    "ask": "a",
    "contact": "C",
    "sorted": "b",
    "fault": "F",
    "effect": "f",
    "problem": "P",
    "timeout": "T",
    "launch": "L",
    "exit": "X",
    "connect": "(",
    "disconnect": ")",
    "subscribe": "+",
    "unsubscribe": "-",
    "refused": "R",
    "dropped": "D",
    "ignored": "I",
    "operator": "O",
    "trigger": "t",
    "tester": "y",
    "release": "g",
    "lot": "E",
    "end": "E",
}
"""The letter of a kind in the column log; ``?`` for others."""


def one_line(text: str, longest: int = LONGEST) -> str:
    """``text`` on one line, cut to ``longest`` characters."""
    flat = _CONTROLS.sub(" ", text)
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def content_of(event: Event) -> Mapping[str, Any] | None:
    """The JSON object in a message; None when there is none."""
    try:
        content = orjson.loads(event.fields["payload"])
    except (KeyError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def describe(event: Event, content: Mapping[str, Any] | None = None) -> str:
    """``event`` in one line. ``content``: what :func:`content_of` says, if the caller has it already."""
    try:
        if event.kind == "message":
            return one_line(_message(event, content if content is not None else content_of(event)))
        teller = _TELLERS.get(event.kind)
        return one_line(teller(event.fields) if teller else _anything(event))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return one_line(_anything(event))


def ending(exit_code: int) -> str:
    """``exit code 1``, or ``signal SIGKILL`` for a negative one."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"


def announced(event: Event, content: Mapping[str, Any] | None) -> str:
    """The state that a status message announces; empty for any other message."""
    if not content or content.get("type") != "status" or "/status" not in str(event.fields.get("topic")):
        return ""
    state = content.get("state")
    if state is None and isinstance(content.get("payload"), dict):
        state = content["payload"].get("state")
    return state if isinstance(state, str) else ""


def result_records(content: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The STDF records in a result message."""
    records = (content or {}).get("payload")
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


# how each kind is told --------------------------------------------------------------------------------------------

Fields = Mapping[str, Any]


def _state(fields: Fields) -> str:
    message = fields.get("message")
    return f"{fields['from']} → {fields['to']}" + (f": {message}" if message else "")


def _contact(fields: Fields) -> str:
    where = [f"part {entry['part']} on site {entry['site']}" for entry in fields["sites"]]
    return f"touchdown {fields['touchdown']}: {', '.join(where)}"


def _sorted(fields: Fields) -> str:
    again = f", attempt {fields['attempt']}" if fields.get("attempt", 1) > 1 else ""
    return f"part {fields['part']} of site {fields['site']} into hard bin {fields['hard_bin']}{again}"


def _fault(fields: Fields) -> str:
    return f"FAULT {fields['fault']}{_keys(fields)}"


def _effect(fields: Fields) -> str:
    if fields.get("missed"):
        return f"the fault {fields.get('fault', '')} finds nothing to strike: {_plain(fields['missed'])}"
    return f"the fault {fields['fault']} strikes{_keys(fields)}"


def _keys(fields: Fields) -> str:
    """The keys of a fault that are in use, the site first."""
    named = [("site", fields.get("site")), *((key, value) for key, value in fields.items() if key != "site")]
    told = [f"{key} {_plain(value)}" for key, value in named if value is not None and key not in ("fault", "step")]
    return f" {', '.join(told)}" if told else ""


def _exit(fields: Fields) -> str:
    return f"ended with {ending(int(fields['exit_code']))}"


def _connect(fields: Fields) -> str:
    will = f", will on {fields['will_topic']}" if "will_topic" in fields else ""
    return f"connects, keepalive {fields['keepalive_s']} s{will}"


def _detailed(fields: Fields, start: str, keys: tuple[str, ...]) -> str:
    return " ".join([start, *(_plain(fields[key]) for key in keys if fields.get(key) not in (None, ""))])


def _while(fields: Fields, start: str, keys: tuple[str, ...]) -> str:
    state = f" while {fields['state']}" if "state" in fields else ""
    return _detailed(fields, start, keys) + state


def _by_hand(fields: Fields) -> str:
    return f"{fields['peripheral']}, by its own hand: {_io(orjson.loads(fields['payload']))}"


_TELLERS: Mapping[str, Callable[[Fields], str]] = {
    "state": _state,
    "ask": lambda f: f"{f['line']} ⇒ {f['answer']}",
    "contact": _contact,
    "sorted": _sorted,
    "fault": _fault,
    "effect": _effect,
    "problem": lambda f: f"PROBLEM {f['text']}",
    "timeout": lambda f: f"TIMEOUT in {f['state']} after {f['after_s']:g} s: {f.get('message') or f['name']}",
    "launch": lambda f: f"starts {f['script']}",
    "exit": _exit,
    "connect": _connect,
    "disconnect": lambda f: _detailed(f, f"connection ends ({f['cause']})", ("detail",)),
    "subscribe": lambda f: f"subscribes to {f['topic_filter']}",
    "unsubscribe": lambda f: f"unsubscribes from {f['topic_filter']}",
    "refused": lambda f: _while(f, "refuses", ("command", "cause", "topic", "topic_filter", "detail")),
    "dropped": lambda f: _detailed(f, "DROPPED", ("topic", "cause")),
    "operator": lambda f: _detailed(f, "operator:", ("command", "payload")),
    "ignored": lambda f: _while(f, "ignores", ("what",)),
    "trigger": lambda f: f"trigger of test {f['test']} ({f['cause']})",
    "tester": lambda f: f"site {f['site']}: {f['call'].replace('_', ' ')}",
    "drive": _by_hand,
    "driven": _by_hand,
    "release": lambda f: f"releases {_sites(f['sites'])}",
    "configure": lambda f: _detailed(f, "is configured", ("values",)),
    "lot": lambda f: f"lot {f['lot']} unloaded: {f['devices']} devices in {f['touchdowns']} touchdowns",
    "end": lambda f: f"the run ends: {f['reason']}",
}


def _sites(sites: Sequence[int]) -> str:
    return f"{'site' if len(sites) == 1 else 'sites'} {', '.join(map(str, sites))}"


def _message(event: Event, content: Mapping[str, Any] | None) -> str:
    topic = str(event.fields["topic"])
    levels = topic.split("/")
    will = "last will: " if event.fields.get("will") else ""
    if content is None:
        return f"{will}{topic} {_payload(event.fields)}"
    state = announced(event, content)
    if state:
        return f"{will}says {state}{_reason(content)}"
    kind = levels[3] if len(levels) > 3 else topic
    teller = _io if str(content.get("type")).startswith("io-control") else _MESSAGES.get(kind)
    told = teller(content) if teller else ""
    return will + (told or f"{'/'.join(levels[2:]) or topic} {_payload(event.fields)}")


def _reason(content: Mapping[str, Any]) -> str:
    payload = content.get("payload")
    reason = (payload.get("message") or payload.get("error_message")) if isinstance(payload, dict) else None
    return f": {reason}" if reason else ""


def _command(content: Mapping[str, Any]) -> str:
    name = str(content.get("command") or content["type"])
    sites = content.get("sites")
    where = f" to site {', '.join(map(str, sites))}" if isinstance(sites, list) else ""
    payload = content.get("payload")
    if name == "next" and isinstance(payload, dict):
        where = f" for part {', '.join(str(entry['partid']) for entry in payload['sites'])}"
    return f"command {name}{where}"


def _response(content: Mapping[str, Any]) -> str:
    sites = content["payload"]["sites"]
    return "bins: " + ", ".join(f"part {entry['partid']} to {entry['binning']}" for entry in sites)


def _result(content: Mapping[str, Any]) -> str:
    parts = [record for record in result_records(content) if record.get("type") == "PRR"]
    told = [f"part {part['PART_ID']} soft bin {part['SOFT_BIN']} hard bin {part['HARD_BIN']}" for part in parts]
    return f"result: {', '.join(told)}" if told else ""


def _io(content: Mapping[str, Any]) -> str:
    if content.get("type") == "io-control-request":
        return f"asks {content.get('periphery_type', '')} {content['ioctl_name']} {_plain(content['parameters'])}"
    return f"answers {content['ioctl_name']}: {_plain(content['result'])}"


_MESSAGES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "cmd": _command,
    "response": _response,
    "testresult": _result,
    "testsummary": lambda content: f"test summary of {len(result_records(content))} tests",
    "io-control": _io,
    "log": lambda content: f"log: {_plain(content['payload'])}",
}


def _payload(fields: Fields) -> str:
    return str(fields.get("payload", fields.get("payload_b64", "")))[: 2 * LONGEST]


def _anything(event: Event) -> str:
    return " ".join([event.kind, *(f"{key}={_plain(value)}" for key, value in event.fields.items())])[: 4 * LONGEST]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
