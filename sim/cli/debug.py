"""``drycell debug``: step through a run, forward and backward. Commands come from a terminal or from a pipe."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.runner import Runner, simulated_cell
from drycell.sim.cli.source import Source, source_of
from drycell.sim.cli.times import seconds_of
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Event, ns
from drycell.sim.kernel import journal as journals
from drycell.sim.replay.stepping import Steps
from drycell.sim.report.lanes import lane_of
from drycell.sim.report.words import describe
from drycell.sim.runs import RunStore
from drycell.sim.scenario import with_overrides
from drycell.sim.suggest import did_you_mean

HELP = """\
next [N], back [N]     N events on or back (n, b; an empty line is next)
N, or go N             to event N; go first, go last
time 1.5s              to the last event until then
find TEXT, rfind TEXT  to the next event, or the one before, in which the regular expression fits (/TEXT, ?TEXT)
on LANE [N]            to the next event of master, handler, "control 0", "site 1", an instrument
show                   the whole event
state                  states, links, contacts
waiting                who is waited for, and for what
last                   what each one said last
where                  all of it
live [DIR]             run again up to this event
quit"""


def debug(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell debug``."""
    source = source_of(arguments.file)
    talk(f"reading {source.journal} ...")
    with Steps(source.journal) as steps:
        stepper = Stepper(steps, source, arguments.runner or simulated_cell(), as_json=arguments.json)
        stepper.go(_start(arguments.at, len(steps)))
        if arguments.live:
            stepper.live("")
        for line in _lines(arguments.commands):
            if not stepper.obey(line):
                break
    return 0


def _start(text: str | None, last: int) -> int:
    if text is None:
        return 1
    if not text.isdecimal():
        raise UsageError(f"--at {text!r} is no event number; write one such as --at 17")
    return min(int(text[:18]), last)


def _lines(given: list[str]) -> Iterator[str]:
    if given:
        yield from given
        return
    if sys.stdin.isatty():
        import readline  # noqa: F401  # gives input() its history and editing

        talk(HELP)
        while True:
            try:
                yield input("> ")
            except EOFError:
                return
    yield from sys.stdin


class Stepper:
    """Stands at one event. ``obey`` carries out one line and says whether to go on."""

    def __init__(self, steps: Steps, source: Source, runner: Runner, *, as_json: bool) -> None:
        self._steps, self._source, self._runner, self._as_json = steps, source, runner, as_json
        self.at = 1

    def obey(self, line: str) -> bool:
        """Carry out one command. A mistake is said and changes nothing."""
        text = line.strip()
        if text[:1] in ("/", "?"):
            text = f"{'find' if text[0] == '/' else 'rfind'} {text[1:]}"
        word, _, rest = text.partition(" ")
        if word in ("quit", "q", "exit"):
            return False
        try:
            if word.isdecimal():
                self.go(int(word[:18]))
            else:
                command = _COMMANDS.get(word or "next")
                if command is None:
                    raise UsageError(f"unknown command {word!r}; {did_you_mean(word, _COMMANDS)}, help lists them")
                command(self, rest.strip())
        except DrycellError as error:
            talk(str(error))
        return True

    def go(self, number: int) -> None:
        """To that event, which is shown."""
        event = self._steps.event(number)
        self.at = number
        if self._as_json:
            print_json({"event": _record(event), "picture": self._steps.picture(number).to_json()})
        else:
            print_text(f"{event.seq:>7} {event.t_ns / 1e9:>14.6f} s  {lane_of(event.actor):<10} {describe(event)}")

    def live(self, folder: str) -> None:
        """Run the scenario again up to this event, and say whether it came out the same."""
        scenario = with_overrides(self._source.scenario({}), **{"limits.events": self.at})
        made = RunStore().new(scenario, None, out=Path(folder) if folder else None)
        made.finish(self._runner(scenario, made.path, say=talk))
        pairs = zip(journals.read(self._source.journal), journals.read(made.journal), strict=False)
        parted = next((first.seq for first, second in pairs if first != second), None)
        print_text(f"run directory: {made.path}")
        print_text(
            f"run again up to event {self.at}: the same"
            if parted is None
            else f"run again, but it parts at event {parted}"
        )

    def _next(self, rest: str) -> None:
        self.go(min(self.at + _count(rest), len(self._steps)))

    def _back(self, rest: str) -> None:
        self.go(max(self.at - _count(rest), 1))

    def _go(self, rest: str) -> None:
        places = {"first": 1, "last": len(self._steps)}
        self.go(places[rest] if rest in places else _count(rest))

    def _time(self, rest: str) -> None:
        self.go(self._steps.at(ns(seconds_of(rest, "time"))))

    def _find(self, rest: str) -> None:
        self._search(rest, backward=False)

    def _rfind(self, rest: str) -> None:
        self._search(rest, backward=True)

    def _search(self, text: str, *, backward: bool) -> None:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise UsageError(f"{text!r} is no regular expression ({error})") from None
        self._jump(lambda event: pattern.search(f"{lane_of(event.actor)} {describe(event)}") is not None, backward)

    def _on(self, rest: str) -> None:
        self._jump(lambda event: lane_of(event.actor) == rest, backward=False)

    def _jump(self, fits: Callable[[Event], bool], backward: bool) -> None:
        found = self._steps.find(self.at, fits, backward=backward)
        if found is None:
            raise UsageError("there is none from here on")
        self.go(found)

    def _show(self, _: str) -> None:
        print_text(json.dumps(_record(self._steps.event(self.at)), indent=2))

    def _state(self, _: str) -> None:
        picture = self._steps.picture(self.at)
        for lane, state in sorted(picture.states.items()):
            link = {True: "connected", False: "not connected", None: ""}[picture.links.get(lane)]
            print_text(f"  {lane:<12} {state:<18} {link}".rstrip())
        touching = ", ".join(f"part {part} on site {site}" for site, part in picture.touching.items())
        print_text(f"  in contact: {touching or 'nothing'}")

    def _waiting(self, _: str) -> None:
        waiting = {what: whom for what, whom in self._steps.picture(self.at).waiting.items() if whom}
        for what, whom in waiting.items():
            print_text(f"  {what}: {', '.join(whom)}")
        if not waiting:
            print_text("  nobody waits for anything")

    def _last(self, _: str) -> None:
        for lane, seq in sorted(self._steps.picture(self.at).last.items()):
            event = self._steps.event(seq)
            print_text(f"  {lane:<12} event {seq}, {event.t_ns / 1e9:.6f} s: {describe(event)}")

    def _where(self, rest: str) -> None:
        for part in (Stepper._state, Stepper._waiting, Stepper._last):
            part(self, rest)

    def _help(self, _: str) -> None:
        print_text(HELP)


def _count(text: str) -> int:
    if text and not text.isdecimal():
        raise UsageError(f"{text!r} is no number of events")
    return int(text[:18]) if text else 1


def _record(event: Event) -> dict[str, object]:
    return {"seq": event.seq, "t_ns": event.t_ns, "actor": event.actor, "kind": event.kind, **event.fields}


_COMMANDS: Mapping[str, Callable[[Stepper, str], None]] = {
    "next": Stepper._next,
    "n": Stepper._next,
    "back": Stepper._back,
    "b": Stepper._back,
    "go": Stepper._go,
    "time": Stepper._time,
    "find": Stepper._find,
    "rfind": Stepper._rfind,
    "on": Stepper._on,
    "show": Stepper._show,
    "state": Stepper._state,
    "waiting": Stepper._waiting,
    "last": Stepper._last,
    "where": Stepper._where,
    "live": Stepper.live,
    "help": Stepper._help,
}
