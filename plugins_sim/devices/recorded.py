"""Devices of a recorded lot, and the instrument that answers for them what was answered then.

Rules that hold here:
- A device answers from the row of its present contact; what that row does not hold, from its nearest other row.
- Answers to one question come in their order; after the last one, that one is repeated.
- What no device in contact has an answer to is answered as it was outside of a contact.
- What was never answered is an error of the instrument, so the test that asks ends in its alarm bin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drycell.sim.errors import DrycellError
from drycell.sim.hooks import Device, DeviceAt, Population, PopulationRequest
from drycell.sim.replay.lot_file import OF, Answers, Row, read_lot

IDENTITY = "drycell,recorded answers,0,1"


@dataclass(frozen=True, slots=True)
class RecordedDevice:
    """``contacts``: what it answered, in the order of its contacts. Its true values are not known."""

    number: int
    contacts: tuple[Answers, ...]
    parameters: Mapping[str, float] = field(default_factory=dict)

    def answers(self, contact: int) -> Answers:
        """What it answers in that contact, from 0."""
        at = min(contact, len(self.contacts) - 1)
        known: dict[str, tuple[str, ...]] = {}
        for other in sorted(range(len(self.contacts)), key=lambda index: (-abs(index - at), -index)):
            known |= self.contacts[other]
        return known


class RecordedPopulation:
    """The devices in ``rows``, numbered in the order of their first contact; a touchdown has each site once.

    ``outside``: question -> what was answered outside of a contact.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        told = [(row.site, row.answers) for row in rows if not row.part]
        self.outside = {_question(text, site): answers for site, known in told for text, answers in known.items()}
        rows = [row for row in rows if row.part]
        names = list(dict.fromkeys(row.part for row in rows))
        numbers = {part: number for number, part in enumerate(names, start=1)}
        self.parts = {number: part for part, number in numbers.items() if part != str(number)}
        self.wafers = {numbers[row.part]: row.wafer for row in rows if row.wafer}
        self._contacts: dict[int, list[Answers]] = {number: [] for number in numbers.values()}
        planned: dict[int, dict[int, int]] = {}
        for row in rows:
            number = numbers[row.part]
            self._contacts[number].append(row.answers)
            if planned.setdefault(row.touchdown, {}).setdefault(row.site, number) != number:
                raise DrycellError(f"touchdown {row.touchdown} has two devices on site {row.site}; give each its own")
        self.touchdowns = [planned[touchdown] for touchdown in sorted(planned)]

    def __len__(self) -> int:
        return len(self._contacts)

    def device(self, number: int) -> RecordedDevice:
        """The device with that number, counted from 1. Raises IndexError outside of the lot."""
        if number not in self._contacts:
            raise IndexError(f"device {number} of a lot of {len(self)}")
        return RecordedDevice(number, tuple(self._contacts[number]))


def recorded_lot(request: PopulationRequest) -> RecordedPopulation:
    """The lot that ``devices.file`` holds. Raises DrycellError when it does not fit the scenario."""
    if request.file is None:
        raise DrycellError("devices.file is missing: model recorded needs the CSV file of a recorded lot")
    population = RecordedPopulation(read_lot(request.file))
    if len(population) != request.size:
        raise DrycellError(f"{request.file} holds {len(population)} devices, devices.size says {request.size}")
    return population


class RecordedInstrument:
    """Answers each question as it was answered while the same device was in contact."""

    def __init__(self, device_at: DeviceAt) -> None:
        self._name = ""
        self._outside: dict[str, list[str]] = {}
        self._left: dict[int, dict[str, list[str]]] = {}
        self._seen: dict[int, int] = {}

    def prepare(self, name: str, population: Population) -> None:
        """What it is called, and the lot it is for."""
        self._name = name
        if isinstance(population, RecordedPopulation):
            self._outside = {question: list(answers) for question, answers in population.outside.items()}

    def seat(self, site: int, device: Device | None) -> None:
        """A device touches ``site``, or nothing does."""
        self._left.pop(site, None)
        if isinstance(device, RecordedDevice):
            contact = self._seen.get(device.number, 0)
            self._seen[device.number] = contact + 1
            told = device.answers(contact).items()
            self._left[site] = {_question(text, site): list(answers) for text, answers in told}

    def answer(self, line: str) -> str:
        """What was answered then; nothing to a line that does not ask."""
        if "?" not in line:
            return ""
        for question in (f"{self._name}{OF} {line}", line):
            answering = [known[question] for known in self._left.values() if question in known]
            if len(answering) == 1 or (not answering and question in self._outside):
                answers = answering[0] if answering else self._outside[question]
                return answers.pop(0) if len(answers) > 1 else answers[0]
            if answering:
                return f"ERROR several devices have an answer to {line}"
        return IDENTITY if line.strip().upper() == "*IDN?" else f"ERROR no device in contact has an answer to {line}"


def _question(text: str, site: int) -> str:
    return text.replace("{site}", str(site)).replace("{channel}", str(site + 1))
