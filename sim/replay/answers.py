"""What an instrument must have answered for a program to record what it recorded. Pure.

A PTR holds ``value * 10**exp10`` and ``RES_SCAL = -exp10``; what the program read is the shortest decimal number that
gives the recorded one, in double precision for messages, in single precision for STDF files.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from struct import Struct

from drycell.sim.cell.program_model import Output, ProgramModel
from drycell.sim.replay.lot_file import OF, Answers
from drycell.sim.replay.parts import tests_of
from drycell.sim.replay.scene import Asked, Contact, Json

Narrow = Callable[[float], float]
_SINGLE = Struct("<f")
_DIGITS = range(6, 18)


def single(value: float) -> float:
    """``value`` as an R*4 field holds it (STDF V4 specification, data types)."""
    try:
        return float(_SINGLE.unpack(_SINGLE.pack(value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def spelled(recorded: float, exp10: int, scale: float = 1.0, narrow: Narrow = float) -> str:
    """The shortest answer from which ``recorded`` follows."""
    exact = Decimal(recorded).scaleb(-exp10) / Decimal(scale)
    for digits in _DIGITS:
        text = f"{exact:.{digits}g}"
        if narrow(float(text) * scale * 10**exp10) == recorded:
            return _plain(text)
    return _plain(f"{exact:.17g}")


def _plain(text: str) -> str:
    number = float(text)
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def heard(asked: Asked, shared: Collection[str]) -> Answers:
    """What instruments answered, as heard. ``shared``: questions that several are asked, which thus need a name."""
    told: dict[str, tuple[str, ...]] = {}
    for (instrument, question), answers in asked.items():
        last = next((n for n in range(len(answers), 1, -1) if answers[n - 1] != answers[n - 2]), 1)
        told[f"{instrument}{OF} {question}" if question in shared else question] = tuple(answers[:last])
    return told


def shared_questions(every: Iterable[Asked]) -> Collection[str]:
    """Questions that several instruments are asked."""
    asked: dict[str, set[str]] = {}
    for instrument, question in (which for one in every for which in one):
        asked.setdefault(question, set()).add(instrument)
    return {question for question, instruments in asked.items() if len(instruments) > 1}


def answers_of(contact: Contact, model: ProgramModel | None, shared: Collection[str] = ()) -> Answers:
    """What instruments answered in ``contact``: as heard, else concluded from the result.

    Without ``model`` nobody knows the questions: then the outputs' names stand in their place.
    """
    if contact.asked:
        return heard(contact.asked, shared)
    told: dict[str, tuple[str, ...]] = {}
    for values, verdict in tests_of(contact.records or ()):
        if int((verdict or {}).get("TEST_FLG") or 0) & 1:
            continue
        for value in values:
            question = _question(str(value.get("TEST_TXT")), model, contact.inputs)
            if question is not None:
                told[question] = (*told.get(question, ()), _answer(value, _output(model, value)))
    return told


def _output(model: ProgramModel | None, value: Json) -> Output | None:
    name = value.get("TEST_TXT")
    return next((o for t in model.tests for o in t.outputs if o.name == name), None) if model else None


def _question(name: str, model: ProgramModel | None, inputs: Mapping[str, float]) -> str | None:
    """The question behind an output; None when it is made of another output."""
    if model is None:
        return name
    for test in model.tests:
        for output in test.outputs:
            if output.name == name:
                usual = {key: given.value for key, given in test.inputs.items()}
                changed = {
                    key: inputs[f"{test.instance}.{key}"] for key in usual if f"{test.instance}.{key}" in inputs
                }
                return None if output.ask is None else _filled(output.ask, usual | changed)
    return name


def _filled(ask: str, inputs: Mapping[str, float]) -> str:
    return ask.format(site="{site}", channel="{channel}", **inputs)


def _answer(value: Json, output: Output | None) -> str:
    exp10 = -int(value.get("RES_SCAL") or 0)
    scale = 1.0 if output is None else output.scale
    narrow: Narrow = single if value.get("single") else float
    results = value.get("RTN_RSLT") if value["type"] == "MPR" else [value.get("RESULT")]
    return ",".join(spelled(float(one), exp10, scale, narrow) for one in results or () if one is not None)
