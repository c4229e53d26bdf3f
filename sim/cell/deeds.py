"""What peripherals do: io-control requests carried out by whoever owns them, the test cell controller or the master.

A request that a peripheral has a deed for is carried out first: one message to an instrument of the bench, and, where
the deed says so, a question every second until the instrument answers 1. What the instrument refuses is the status of
the answer.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drycell.runtime.protocol import messages
from drycell.sim.cell.line_server import Answers
from drycell.sim.cell.port import Port

Json = dict[str, Any]
POLL_S = 1.0
_NAME = re.compile(r"\{(\w+)\}")
_REFUSED = re.compile(r"-\d+,")


@dataclass(frozen=True, slots=True)
class Deed:
    """``message`` for instrument ``to``, with request parameters in braces; then ask ``until`` the answer is 1."""

    to: str
    message: str
    until: str | None = None

    def filled(self, parameters: Any) -> str:
        """The message with the request's parameters put in. ValueError when one is missing or cannot be used."""

        def value(match: re.Match[str]) -> str:
            given = parameters.get(match[1]) if isinstance(parameters, Mapping) else None
            values = given if isinstance(given, list) else [given]
            if not values or not all(isinstance(one, (int, float, str)) for one in values):
                raise ValueError(f"the request has no usable parameter {match[1]}")
            text = ",".join(str(one) for one in values)
            if not text.isprintable() or ";" in text:
                raise ValueError(f"the parameter {match[1]} is no number or word")
            return text

        return _NAME.sub(value, self.message)


@dataclass(frozen=True, slots=True)
class Peripheral:
    """One peripheral: how long it takes to answer, what (the ``result`` of its response), and what it does first.

    ``answers``: other results, by the number of the request from 1.
    """

    latency_s: float
    answer: Any
    does: Mapping[str, Deed] = field(default_factory=dict)
    answers: Mapping[int, Any] = field(default_factory=dict)


Put = Callable[[str, str, Callable[[Answers], None]], None]
"""Hand a line to an instrument by its name."""


class Owner:
    """Carries out requests to the ``peripherals`` it owns."""

    def __init__(self, port: Port, peripherals: Mapping[str, Peripheral], put: Put) -> None:
        self._port = port
        self._peripherals = peripherals
        self._put = put
        self._requests: Counter[str] = Counter()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of its peripherals."""
        return tuple(self._peripherals)

    def carry_out(
        self, kind: str, request: Mapping[str, Any], done: Callable[[Json], None], wanted: Callable[[], bool]
    ) -> None:
        """Do what ``request`` asks of ``kind``; ``done(response)``, unless it is not ``wanted`` any more by then."""
        peripheral = self._peripherals[kind]
        ioctl = str(request.get("ioctl_name"))
        deed = peripheral.does.get(ioctl)
        self._requests[kind] += 1
        answer = peripheral.answers.get(self._requests[kind], peripheral.answer)

        def reply(result: Any) -> None:
            response = messages.io_response(ioctl, result)
            if "request_ids" in request:
                response["request_ids"] = request["request_ids"]
            self._port.later(peripheral.latency_s, lambda: done(response) if wanted() else None)

        if deed is None:
            reply(answer)
        else:
            self._act(deed, request.get("parameters"), answer, reply, wanted)

    def _act(
        self, deed: Deed, parameters: Any, answer: Any, reply: Callable[[Any], None], wanted: Callable[[], bool]
    ) -> None:
        try:
            message = deed.filled(parameters)
        except ValueError as error:
            reply({"status": str(error)})
            return

        def checked(answers: Answers) -> None:
            error = _first(answers)
            if _REFUSED.match(error):
                reply({"status": error})
            elif deed.until is None:
                reply(answer)
            else:
                ask(deed.until)

        def ask(question: str) -> None:
            self._put(deed.to, question, lambda answers: looked(question, answers))

        def looked(question: str, answers: Answers) -> None:
            if _first(answers) == "1":
                reply(answer)
            elif wanted():
                self._port.later(POLL_S, lambda: ask(question))

        self._put(deed.to, message, lambda _: self._put(deed.to, "SYST:ERR?", checked))


def _first(answers: Answers) -> str:
    """What is answered first, whatever its delay."""
    if isinstance(answers, str):
        return answers
    return min(answers, default=(0, ""))[1]
