"""One instrument: a table of commands, a status, an identity; messages in, answers out.

Rules that hold here:
- A message gives one answer line or none. Errors go to the error queue and never into an answer, so a query never
  reads the error of the command before it. (Profile ``seed`` answers errors as lines instead.)
- A command error ends its message, an execution error ends its unit only (IEEE 488.2 section 6.1.7).
- Whatever arrives, an instrument goes on: a mistake in its own code is error -310.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from drycell.plugins_sim.instruments.scpi.errors import Failure
from drycell.plugins_sim.instruments.scpi.message import Unit, units
from drycell.plugins_sim.instruments.scpi.parameters import Number
from drycell.plugins_sim.instruments.scpi.status import OPERATION_COMPLETE, Register, Status
from drycell.plugins_sim.instruments.scpi.tree import Call, Command, Tree
from drycell.sim.errors import DrycellError

ANSWER_LIMIT = 1 << 24
NS_PER_S = 1_000_000_000


class Profile(Enum):
    """``scpi``: as the standard says. ``seed``: errors are lines ``ERROR: ...``, upper limits are not checked."""

    SCPI = "scpi"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Identity:
    """The four fields of ``*IDN?``."""

    model: str
    serial: str
    manufacturer: str = "drycell"
    firmware: str = "1.0.0"

    def __str__(self) -> str:
        return f"{self.manufacturer},{self.model},{self.serial},{self.firmware}"


class ScpiInstrument:
    """``commands``: its own table; ``reset``: back to its defaults; ``conditions``: (OPERation, QUEStionable) now.

    ``now_ns``: the run's clock. ``latency_s``: simulated seconds from a message to its effect and answer.
    """

    def __init__(
        self,
        identity: Identity,
        commands: Sequence[Command],
        *,
        reset: Callable[[], None],
        now_ns: Callable[[], int],
        latency_s: float = 0.0,
        profile: Profile = Profile.SCPI,
        conditions: Callable[[], tuple[int, int]] = lambda: (0, 0),
        trigger: Callable[[], None] | None = None,
    ) -> None:
        if not 0.0 <= latency_s < 1e6:
            raise DrycellError(f"the latency of {identity.model} is {latency_s:g} s; it must be 0 or more.")
        self.identity = identity
        self.status = Status()
        self.latency_s = latency_s
        self._busy_until_ns = 0
        self._complete_at_ns: int | None = None
        self._now_ns = now_ns
        self._profile = profile
        self._reset = reset
        self._conditions = conditions
        self._trigger = trigger
        self._commands = (*common_commands(self), *commands)
        self._tree = Tree(self._commands)
        self._timed = latency_s > 0.0 or any(c.cost_s for c in commands)

    # the faces -----------------------------------------------------------------------------------------------------

    def reply(self, message: bytes) -> bytes:
        """The answer to one message (both without terminator), empty if there is none. Never raises."""
        answers: list[bytes] = []
        size = 0
        try:
            for unit in units(message.decode("latin-1")):
                answer = self._unit(unit)
                if answer is not None:
                    answers.append(answer)
                    size += len(answer)
                if size > ANSWER_LIMIT:
                    answers.clear()
                    raise Failure(-430, "the answer is too long")
        except Failure as failure:
            self._report(failure, answers)
        return b";".join(answers)

    def answer(self, line: str) -> str:
        """The same for text."""
        return self.reply(line.encode("latin-1", "replace")).decode("latin-1")

    def process(self, text: str) -> str:
        """The same under the name that line servers of other benches expect; white space around it is dropped."""
        return self.answer(text.strip())

    def latency_ns(self, message: bytes) -> int:
        """Simulated nanoseconds from the message to its answer, as things stand now."""
        if not self._timed and self._busy_until_ns <= self._now_ns():
            return 0
        total_s, wait_ns = self.latency_s, 0
        try:
            for unit in units(message.decode("latin-1")):
                if unit.keyword in ("*OPC", "*WAI") and (unit.query or unit.keyword == "*WAI"):
                    wait_ns = max(0, self._busy_until_ns - self._now_ns())
                command, suffixes = self._tree.find(unit.header)
                if command.cost_s is not None:
                    total_s += command.cost_s(command.read(unit, suffixes, True))
        except Failure:
            pass
        return round(total_s * NS_PER_S) + wait_ns

    def overrun(self) -> None:
        """A line was too long to be heard."""
        self.status.report(-363)

    def busy_for(self, seconds: float) -> None:
        """An operation goes on in the background; *OPC? and *WAI wait for it."""
        self._busy_until_ns = max(self._busy_until_ns, self._now_ns() + round(seconds * NS_PER_S))

    @property
    def patterns(self) -> tuple[tuple[str, bool, bool], ...]:
        """(pattern, has a command form, has a query form) of everything it understands."""
        return tuple((c.pattern, c.run is not None, c.ask is not None) for c in self._commands)

    # inside --------------------------------------------------------------------------------------------------------

    def _unit(self, unit: Unit) -> bytes | None:
        try:
            answer = self._carry_out(unit)
        except Failure as failure:
            if failure.code > -200 or self._profile is Profile.SEED:
                raise
            self.status.report(failure.code, failure.detail)
            return None
        except Exception as error:
            self.status.report(-310, f"{unit.keyword}: {type(error).__name__} {error}")
            if self._profile is Profile.SEED:
                return f"ERROR: Internal error - {type(error).__name__}".encode()
            return None
        return answer.encode("ascii", "replace") if isinstance(answer, str) else answer

    def _carry_out(self, unit: Unit) -> str | bytes | None:
        command, suffixes = self._tree.find(unit.header)
        limits = self._profile is Profile.SCPI
        if unit.query:
            if command.ask is None:
                raise Failure(-113, f"{unit.keyword} is no query", f"{unit.keyword} is a command only")
            shown = command.limit(unit)
            return shown if shown is not None else command.ask(command.read(unit, suffixes, limits))
        if command.run is None:
            raise Failure(-113, f"{unit.keyword} is a query only", f"{unit.keyword} is a query only")
        command.run(command.read(unit, suffixes, limits))
        return None

    def _report(self, failure: Failure, answers: list[bytes]) -> None:
        self.status.report(failure.code, failure.detail)
        if self._profile is Profile.SEED:
            answers.append(f"ERROR: {failure.plain or failure.detail or 'syntax error'}".encode("ascii", "replace"))

    def refresh(self) -> None:
        """Bring the registers up to date."""
        if self._complete_at_ns is not None and self._now_ns() >= self._complete_at_ns:
            self._complete_at_ns = None
            self.status.event |= OPERATION_COMPLETE
        operation, questionable = self._conditions()
        self.status.operation.update(operation)
        self.status.questionable.update(questionable)

    def clear(self) -> None:
        """*CLS; it also forgets an *OPC that waits (IEEE 488.2 section 10.3)."""
        self._complete_at_ns = None
        self.status.clear()

    def do_reset(self) -> None:
        """*RST: the instrument's own defaults; status and queues stay (IEEE 488.2 section 10.32)."""
        self._busy_until_ns = 0
        self._complete_at_ns = None
        self._reset()

    def do_trigger(self) -> None:
        """*TRG."""
        if self._trigger is None:
            raise Failure(-211)
        self._trigger()

    def complete(self) -> None:
        """*OPC: set the bit when what goes on now is over."""
        self._complete_at_ns = max(self._busy_until_ns, self._now_ns())


def common_commands(owner: ScpiInstrument) -> tuple[Command, ...]:
    """The common commands of IEEE 488.2 and the required ones of SCPI-99 (volume 1, chapter 4)."""
    status = owner.status
    byte = Number(low=0, high=255, whole=True)

    def assign(name: str) -> Callable[[Call], None]:
        return lambda call: setattr(status, name, int(call[0]))

    def fresh(read: Callable[[], Any]) -> Callable[[Call], str]:
        def ask(call: Call) -> str:
            owner.refresh()
            return str(read())

        return ask

    return (
        Command("*IDN", ask=lambda call: str(owner.identity)),
        Command("*RST", run=lambda call: owner.do_reset()),
        Command("*CLS", run=lambda call: owner.clear()),
        Command("*OPC", run=lambda call: owner.complete(), ask=lambda call: "1"),
        Command("*WAI", run=lambda call: None),
        Command("*TST", ask=lambda call: "0"),
        Command("*OPT", ask=lambda call: "0"),
        Command("*TRG", run=lambda call: owner.do_trigger()),
        Command("*ESR", ask=fresh(status.take_event)),
        Command("*ESE", assign("event_enable"), lambda call: str(status.event_enable), (byte,)),
        Command("*SRE", assign("service_enable"), lambda call: str(status.service_enable & ~64), (byte,)),
        Command("*STB", ask=fresh(status.byte)),
        Command("SYSTem:ERRor[:NEXT]", ask=lambda call: status.next_error()),
        Command("SYSTem:ERRor:ALL", ask=lambda call: status.all_errors()),
        Command("SYSTem:ERRor:COUNt", ask=lambda call: str(status.error_count)),
        Command("SYSTem:VERSion", ask=lambda call: "1999.0"),
        Command("STATus:PRESet", run=lambda call: status.preset()),
        *_register_commands("STATus:OPERation", status.operation, fresh),
        *_register_commands("STATus:QUEStionable", status.questionable, fresh),
    )


def _register_commands(
    head: str, register: Register, fresh: Callable[[Callable[[], Any]], Callable[[Call], str]]
) -> tuple[Command, ...]:
    mask = Number(low=0, high=32767, whole=True)

    def settable(pattern: str, name: str) -> Command:
        return Command(
            f"{head}:{pattern}",
            lambda call: setattr(register, name, int(call[0])),
            lambda call: str(getattr(register, name)),
            (mask,),
        )

    return (
        Command(f"{head}[:EVENt]", ask=fresh(register.take_event)),
        Command(f"{head}:CONDition", ask=fresh(lambda: register.condition)),
        settable("ENABle", "enable"),
        settable("PTRansition", "positive"),
        settable("NTRansition", "negative"),
    )
