"""The tables of all faults in docs/faults.md.

``python -m drycell.sim.faults.reference docs/faults.md`` writes them anew, from the classes of the palette.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.instrument import InstrumentFault
from drycell.sim.faults.palette import PALETTE
from drycell.sim.faults.select import MessageFault

BEGIN, END = "<!-- faults: begin (generated) -->", "<!-- faults: end -->"
_COMMON = {*MessageFault.model_fields, *InstrumentFault.model_fields}
"""Fields that say which messages or answers are hit; explained once on the page."""


def markdown() -> str:
    """One table per layer."""
    return "\n\n".join(_table(layer) for layer in get_args(Layer))


def updated(text: str) -> str:
    """``text`` with what stands between the two marks replaced by the tables."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{markdown()}\n{END}{rest.split(END)[1]}"


def _table(layer: str) -> str:
    rows = [
        f"| `{name}` | {_plain(fault.__doc__ or '')} | {'; '.join(_keys(fault))} |"
        for name, fault in PALETTE.items()
        if fault.layer == layer
    ]
    return "\n".join([f"### {layer}", "| Fault | What happens | Keys |", "|---|---|---|", *rows])


def _keys(fault: type[Fault]) -> Iterator[str]:
    for name, info in fault.model_fields.items():
        if issubclass(fault, MessageFault | InstrumentFault) and name in _COMMON and name != fault.main:
            continue
        key = info.alias or name
        marked = f"**`{key}`**" if name == fault.main else f"`{key}`"
        yield f"{marked}{_default(info)} {_lowered(_plain(info.description or ''))}"


def _default(info: Any) -> str:
    if info.is_required():
        return " (required)"
    return "" if info.default is None or not isinstance(info.default, str | int | float) else f" ({info.default})"


def _lowered(text: str) -> str:
    return (text if text[1:2].isupper() else text[:1].lower() + text[1:]).rstrip(".")


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
