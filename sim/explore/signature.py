"""What makes two violations the same kind: the oracle and its sentence without what differs from run to run. Pure."""

import re

_MOMENT = re.compile(r" at \d+(?:\.\d+)? s \(event \d+\)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_ROW = re.compile(r"#(?:(?:, | and |, and )#)+")


def signature(oracle: str, text: str) -> str:
    """A stable text for the kind of a violation: no times, no numbers of events, parts, sites or tests, no lengths of
    lists; equal for violations that a person would call the same."""
    return f"{oracle}: {_ROW.sub('#', _NUMBER.sub('#', _MOMENT.sub('', text)))}"
