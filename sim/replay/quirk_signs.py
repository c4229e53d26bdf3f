"""Signs of the defects of the runtime packages in what a floor said. Pure.

Master and control come in one release, and so do the parts of the test program: one sign of a defect switches on all
quirks of that family, since most of them show only when something fails.
"""

from collections.abc import Sequence

from drycell.runtime.protocol.quirks import QUIRKS
from drycell.sim.faults.select import state_in
from drycell.sim.replay.parts import tests_of
from drycell.sim.replay.recording import Entry
from drycell.sim.replay.scene import Json

FAMILIES = (("master", "control"), ("sequencer",))
_FAILED, _INVALID, _STALE_FREE = 128, 1, 130


class QuirkSigns:
    """Hears every message; ``found`` says which quirks to switch on and why."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._control: dict[str, str] = {}
        self._idle_since_reset: dict[str, int] | None = None

    def _sign(self, quirk: str, t_ns: int, what: str) -> None:
        self._seen.setdefault(quirk, f"{what} at {t_ns / 1e9:.3f} s")

    def hear(self, kind: str, site: str, entry: Entry, content: Json) -> None:
        """The next message."""
        if kind == "handler-command" and entry.qos == 0:
            self._sign("handler-commands-qos-0", entry.t_ns, "a command of the handler had QoS 0")
        elif kind == "status" and state_in(content) == "crash" and (content.get("payload") or {}).get("state") == 0:
            self._sign("sequencer-will-state-0", entry.t_ns, "a last will had payload.state 0")
        elif kind == "control-command" and content.get("command") == "reset":
            self._idle_since_reset = {}
        elif kind == "control-status":
            self._control_says(site, state_in(content), entry.t_ns)

    def _control_says(self, site: str, state: str, t_ns: int) -> None:
        if state == self._control.get(site):
            if state == "busy":
                self._sign("control-echoes-master", t_ns, "a control said busy again")
            elif state == "error":
                self._sign("control-repeats-status", t_ns, "a control said error twice")
        self._control[site] = state
        if self._idle_since_reset is not None and state == "idle":
            count = self._idle_since_reset[site] = self._idle_since_reset.get(site, 0) + 1
            if count > 2:
                self._sign("control-repeats-status", t_ns, "a control said idle again and again after a reset")
        elif state != "idle":
            self._idle_since_reset = None

    def result(self, records: Sequence[Json], t_ns: int) -> None:
        """The next result of a part."""
        failed = False
        for values, verdict in tests_of(records):
            flag = int((verdict or {}).get("TEST_FLG") or 0)
            failed = failed or bool(flag & (_FAILED | _INVALID))
            for value in values:
                self._value(value, flag, t_ns)
        last = records[-1]
        if failed and last.get("type") == "PRR" and last.get("PART_FLG") == 0 and last.get("SOFT_BIN") != 1:
            self._sign("sequencer-passes-part-on-stop", t_ns, "a failed part had PART_FLG 0")

    def _value(self, value: Json, flag: int, t_ns: int) -> None:
        low, high, own = value.get("LO_LIMIT"), value.get("HI_LIMIT"), int(value.get("TEST_FLG") or 0)
        results = value.get("RTN_RSLT") if value["type"] == "MPR" else [value.get("RESULT")]
        if flag & _INVALID:
            if own != _STALE_FREE and value["type"] == "PTR":
                self._sign("sequencer-repeats-stale-value", t_ns, "a value stands beside an exception")
            return
        numbers = [one for one in results or () if isinstance(one, (int, float))]
        if not numbers or not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
            return
        inside = all(low <= one <= high for one in numbers)
        if inside and own & _FAILED:
            if value["type"] == "MPR":
                self._sign("sequencer-mpr-remembers-failures", t_ns, "an MPR failed with all values in its limits")
            elif value.get("RES_SCAL"):
                self._sign("sequencer-compares-unscaled", t_ns, "a scaled value failed within its limits")

    def found(self) -> dict[str, str]:
        """Quirk -> what shows it; nothing for one that only comes with others."""
        found = {name: why for name, why in self._seen.items() if name in QUIRKS}
        for roles in FAMILIES:
            of_family = [name for name in found if QUIRKS[name].role in roles]
            if of_family:
                found |= {name: "" for name, quirk in QUIRKS.items() if quirk.role in roles and name not in found}
        return found
