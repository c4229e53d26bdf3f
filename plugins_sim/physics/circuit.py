"""A small circuit of ideal and piecewise linear elements, solved exactly for one instant and one temperature.

Rules that hold here:
- Modified nodal analysis: unknown are the voltages of the nodes and one current per branch; Kirchhoff's laws hold by
  construction, so every instrument on a circuit reads the same network.
- An element is linear in each of its modes (constant voltage, constant current, dropout, ...). The solver changes the
  modes of violated elements until all agree: first all at once, then one by one (Murty's least-index rule, which ends
  for monotone networks), at last by trying every combination.
- Plain additions, multiplications and divisions in a fixed order: the same bits on every machine.
- 1 pS leads from every node to ground, so that an open node has a voltage.
Units: volts, amperes, ohms, degrees Celsius, seconds. A branch current flows from its plus to its minus through it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

from drycell.sim.errors import DrycellError

GROUND = "gnd"
LEAK_SIEMENS = 1e-12
VOLT_TOLERANCE = 1e-9
AMPERE_TOLERANCE = 1e-11
_TOGETHER = 12
_ONE_BY_ONE = 120
_MODES_LIMIT = 20_000

Row = tuple[Sequence[float], Sequence[float], float]
"""One branch equation: coefficients of the element's own port voltages, of its own currents, right-hand side."""
Mode = Any


class Element(Protocol):
    """A one-port or multi-port between nodes."""

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        """(plus, minus) node of every branch."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """All modes; the first is where to begin."""

    def rows(self, mode: Mode, temperature_c: float, at_s: float) -> Sequence[Row]:
        """The equations of the branches in ``mode``."""

    def check(
        self, mode: Mode, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> Mode:
        """``mode`` if the solution agrees with it, else the mode to try next."""


class CircuitError(DrycellError):
    """A network without solution."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Voltages of nodes and currents of branches at one instant."""

    temperature_c: float
    volts: Mapping[str, float]
    amperes: Mapping[int, tuple[float, ...]]
    modes: Mapping[int, Mode]

    def voltage(self, plus: str, minus: str = GROUND) -> float:
        """Voltage between two nodes; a node that nothing touches has 0 V."""
        return self.volts.get(plus, 0.0) - self.volts.get(minus, 0.0)

    def current(self, element: Element, branch: int = 0) -> float:
        """Current that flows into the plus terminal of ``element``; 0 if it is not in the circuit."""
        currents = self.amperes.get(id(element))
        return 0.0 if currents is None else currents[branch]

    def mode(self, element: Element) -> Mode:
        """The mode ``element`` is in, None if it is not in the circuit."""
        return self.modes.get(id(element))

    def power_into(self, elements: Sequence[Element]) -> float:
        """Watts that flow into ``elements`` together."""
        return sum(
            self.voltage(plus, minus) * amperes
            for element in elements
            for (plus, minus), amperes in zip(element.ports, self.amperes[id(element)], strict=True)
        )


class Circuit:
    """Elements between named nodes. Change the elements' values freely, then ask :meth:`solve` again."""

    def __init__(self, elements: Sequence[Element]) -> None:
        self.elements = tuple(elements)
        names = sorted({node for e in self.elements for port in e.ports for node in port} - {GROUND})
        self._index = {name: position for position, name in enumerate(names)}
        self._first: list[int] = []
        position = len(names)
        for element in self.elements:
            self._first.append(position)
            position += len(element.ports)
        self._size = position
        self._modes: list[Mode] = [element.modes[0] for element in self.elements]

    def solve(self, temperature_c: float, at_s: float = 0.0) -> Solution:
        """The network's state with devices at ``temperature_c``, ``at_s`` seconds into the run.

        Raises CircuitError when no combination of modes agrees.
        """
        modes = list(self._modes)
        seen: set[tuple[Mode, ...]] = set()
        for attempt in range(_TOGETHER + _ONE_BY_ONE):
            found = self._linear(modes, temperature_c, at_s)
            if found is None:
                break
            wished = self._wished(modes, found, temperature_c, at_s)
            if wished == modes:
                self._modes = modes
                return self._solution(found, modes, temperature_c)
            if attempt >= _TOGETHER or tuple(modes) in seen:
                changed = next(i for i, mode in enumerate(wished) if mode != modes[i])
                wished = [wished[i] if i == changed else mode for i, mode in enumerate(modes)]
            seen.add(tuple(modes))
            modes = wished
        return self._by_trial(temperature_c, at_s)

    def _by_trial(self, temperature_c: float, at_s: float) -> Solution:
        choices = [element.modes for element in self.elements]
        for count, choice in enumerate(product(*choices)):
            if count >= _MODES_LIMIT:
                break
            modes = list(choice)
            for _ in range(40):
                found = self._linear(modes, temperature_c, at_s)
                if found is None:
                    break
                wished = self._wished(modes, found, temperature_c, at_s)
                if wished == modes:
                    self._modes = modes
                    return self._solution(found, modes, temperature_c)
                if any(a != b and not isinstance(a, float) for a, b in zip(wished, modes, strict=True)):
                    break
                modes = wished
        raise CircuitError("the circuit has no solution: its sources contradict each other; check the wiring.")

    def _wished(self, modes: list[Mode], x: list[float], temperature_c: float, at_s: float) -> list[Mode]:
        wished = []
        for element, first, mode in zip(self.elements, self._first, modes, strict=True):
            volts = [self._volt(x, plus) - self._volt(x, minus) for plus, minus in element.ports]
            amperes = x[first : first + len(volts)]
            wished.append(element.check(mode, volts, amperes, temperature_c, at_s))
        return wished

    def _volt(self, x: list[float], node: str) -> float:
        position = self._index.get(node)
        return 0.0 if position is None else x[position]

    def _linear(self, modes: list[Mode], temperature_c: float, at_s: float) -> list[float] | None:
        size = self._size
        matrix = [[0.0] * (size + 1) for _ in range(size)]
        for position in range(len(self._index)):
            matrix[position][position] = LEAK_SIEMENS
        for element, first, mode in zip(self.elements, self._first, modes, strict=True):
            ports = [(self._index.get(plus), self._index.get(minus)) for plus, minus in element.ports]
            for branch, (plus, minus) in enumerate(ports):
                if plus is not None:
                    matrix[plus][first + branch] += 1.0
                if minus is not None:
                    matrix[minus][first + branch] -= 1.0
            for branch, (alphas, betas, right) in enumerate(element.rows(mode, temperature_c, at_s)):
                row = matrix[first + branch]
                for alpha, (plus, minus) in zip(alphas, ports, strict=True):
                    if plus is not None:
                        row[plus] += alpha
                    if minus is not None:
                        row[minus] -= alpha
                for column, beta in enumerate(betas):
                    row[first + column] += beta
                row[size] = right
        return eliminate(matrix)

    def _solution(self, x: list[float], modes: list[Mode], temperature_c: float) -> Solution:
        return Solution(
            temperature_c,
            {GROUND: 0.0, **{name: x[position] for name, position in self._index.items()}},
            {id(e): tuple(x[f : f + len(e.ports)]) for e, f in zip(self.elements, self._first, strict=True)},
            {id(e): mode for e, mode in zip(self.elements, modes, strict=True)},
        )


def eliminate(matrix: list[list[float]]) -> list[float] | None:
    """Solve the augmented ``matrix`` in place by Gauss with row pivoting; None when it is singular."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        head = matrix[pivot]
        if abs(head[column]) < 1e-18:
            return None
        matrix[pivot], matrix[column] = matrix[column], head
        for row in range(column + 1, size):
            line = matrix[row]
            if line[column]:
                factor = line[column] / head[column]
                for k in range(column, size + 1):
                    line[k] -= factor * head[k]
    x = [0.0] * size
    for row in range(size - 1, -1, -1):
        line = matrix[row]
        total = line[size]
        for k in range(row + 1, size):
            total -= line[k] * x[k]
        x[row] = total / line[row]
    return x
