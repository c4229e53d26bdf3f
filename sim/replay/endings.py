"""Ends and returns: soft errors and resets, programs and masters that die or lose their link, late results. Pure."""

import re
import signal
from collections.abc import Callable, Mapping
from typing import get_args

from drycell.sim.faults.select import state_in
from drycell.sim.kernel import NS_PER_S
from drycell.sim.replay.ground import Ground, Instant
from drycell.sim.replay.recording import Entry
from drycell.sim.replay.scene import Json
from drycell.sim.scenario.actions import SignalName

_LATE_NS = 2 * NS_PER_S
"""A result so long after ``idle`` is late; programs send both at once."""

_CAUSES: tuple[tuple[re.Pattern[str], Callable[[int, re.Match[str]], Json]], ...] = (
    (re.compile("executor exception|no connection to the broker"), lambda site, _: {"cut": site}),
    (re.compile(r"ended with signal (\d+)"), lambda site, match: {"kill": {"site": site, "signal": _name(match[1])}}),
    (re.compile(r"ended with exit code (\d+)"), lambda site, match: {"exit": {"site": site, "code": int(match[1])}}),
)


def _name(number: str) -> str:
    """The name of a signal; SIGKILL for one that a scenario cannot send."""
    names: dict[str, str] = {str(signal.Signals[name].value): name for name in get_args(SignalName)}
    return names.get(number, "SIGKILL")


class Endings:
    """Last wills become deeds once it is clear what followed: a new state of the program, or its control's word."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._master = ""
        self._failed_ns: int | None = None
        self._handler_fails, self._handler = 0, ""
        self._gone: tuple[int, Instant] | None = None
        self._last: dict[str, tuple[int, Json]] = {}
        self._crashed: dict[str, Instant] = {}
        self._idle_ns: dict[str, int] = {}
        self._resetting = False

    @property
    def in_soft_error(self) -> bool:
        """Whether the master is in soft error."""
        return self._master == "softerror"

    def hear(self, kind: str, entry: Entry, site: str, content: Json) -> None:
        """The next message."""
        listener = _LISTENERS.get(kind)
        if listener is not None:
            listener(self, entry, site, content)

    def heard(self, entry: Entry, site: str) -> None:
        """The message that was heard is an occurrence now; remember the last of each program."""
        if "/TestApp/" in entry.topic and site:
            self._last[site] = entry.t_ns, self._ground.anchors.trigger()

    def finish(self) -> None:
        """Programs that died at the end, but for those that ended with the whole cell."""
        if self._master not in ("crash", "initialized"):
            for site in list(self._crashed):
                self._ended(site, "", "the last will came")

    def _to_controls(self, entry: Entry, site: str, content: Json) -> None:
        """A reset ends programs, too; what they say until the next load is no cause."""
        self._resetting = content.get("command") == "reset"
        if self._resetting:
            if self._failed_ns is not None:
                scene = self._ground.scene
                scene.resets_after_ns.append(entry.t_ns - self._failed_ns)
                scene.resets = max(len(scene.resets_after_ns), self._handler_fails)
            self._failed_ns = None
            for crashed in list(self._crashed):
                self._ended(crashed, "executor exception", "the last will came, but the control missed nothing")

    def _of_master(self, entry: Entry, site: str, content: Json) -> None:
        state, before = state_in(content), self._master
        self._master = state
        if state == "softerror" and before != "softerror":
            self._failed_ns = entry.t_ns
        elif state == "crash":
            self._gone = entry.t_ns, self._ground.instant(entry.t_ns)
        elif state == "connecting" and self._gone is not None:
            (gone_ns, when), self._gone = self._gone, None
            do = {"master_restart": {"down": (entry.t_ns - gone_ns) / NS_PER_S}}
            self._ground.conclude(do, when, "the master's last will came, and it connected again")

    def _of_handler(self, entry: Entry, site: str, content: Json) -> None:
        state, before = state_in(content), self._handler
        self._handler = state
        self._handler_fails += state == "error" != before
        if state == "error" and self._master == "softerror":
            self._failed_ns = entry.t_ns

    def _of_program(self, entry: Entry, site: str, content: Json) -> None:
        state = state_in(content)
        if state == "idle":
            self._idle_ns[site] = entry.t_ns
        if state == "crash":
            last_ns, trigger = self._last.get(site, (entry.t_ns, self._ground.anchors.trigger()))
            if not self._resetting:
                self._crashed[site] = Instant(trigger, entry.t_ns - last_ns)
        elif site in self._crashed:
            self._ended(site, "executor exception", "the last will came, and the program connected again")

    def _of_control(self, entry: Entry, site: str, content: Json) -> None:
        if state_in(content) in ("error", "idle") and site in self._crashed:
            words = str((content.get("payload") or {}).get("error_message") or "")
            self._ended(site, words, f"the last will came, and the control said: {words or 'nothing more'}")

    def _ended(self, site: str, words: str, why: str) -> None:
        """What the control read on the program's standard error tells how it ended."""
        found = ((cause, pattern.search(words)) for pattern, cause in _CAUSES)
        do = next((cause(int(site), match) for cause, match in found if match), {"kill": {"site": int(site)}})
        self._ground.conclude(do, self._crashed.pop(site), why)

    def _result(self, entry: Entry, site: str, content: Json) -> None:
        late_ns = entry.t_ns - self._idle_ns.get(site, entry.t_ns)
        if late_ns > _LATE_NS:
            do = {"delay": {"message": "testresult", "site": int(site), "by": late_ns / NS_PER_S}}
            when = Instant({"touchdown": len(self._ground.scene.touchdowns)})
            self._ground.conclude(do, when, "the result came that late after idle")


_LISTENERS: Mapping[str, Callable[[Endings, Entry, str, Json], None]] = {
    "control-command": Endings._to_controls,
    "master-status": Endings._of_master,
    "handler-status": Endings._of_handler,
    "status": Endings._of_program,
    "control-status": Endings._of_control,
    "testresult": Endings._result,
}
