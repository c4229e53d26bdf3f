"""The devices of a recorded lot as a CSV file: one row for each contact of a device, one column for each question.

Columns ``touchdown`` (from 1), ``site`` and ``part`` come first, then ``wafer`` if there are any; every other column
is headed by what an instrument is asked, with ``{site}`` or ``{channel}`` (site + 1) where the question names the
site, and with ``name> `` before it where several instruments are asked the same. Several answers to one question in
one contact are separated by `` | ``. A device that was in contact again has further rows. Rows of touchdown 0 have no
part: they hold what was answered while no device, or no certain one, was in contact.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drycell.sim.errors import DrycellError

Answers = Mapping[str, tuple[str, ...]]
"""Question -> what was answered, in order."""

OF = ">"
"""Behind the name of an instrument that a question is for."""
_FIXED = ("touchdown", "site", "part")
_WAFER = "wafer"
_BETWEEN = " | "
_SIZE_LIMIT_BYTES = 512 * 1024 * 1024
_CELL_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One contact: ``touchdown`` counts from 1 as the handler planned them; 0 and no part for no contact."""

    touchdown: int
    site: int
    part: str
    answers: Answers = field(default_factory=dict)
    wafer: str = ""


def write_lot(path: Path, rows: Sequence[Row]) -> None:
    """Write a new file. Raises DrycellError when that cannot be done."""
    questions = list(dict.fromkeys(question for row in rows for question in row.answers))
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            wafers = (_WAFER,) if any(row.wafer for row in rows) else ()
            writer.writerow((*_FIXED, *wafers, *questions))
            for row in rows:
                cells = (_BETWEEN.join(row.answers.get(question, ())) for question in questions)
                writer.writerow((row.touchdown, row.site, row.part, *(row.wafer for _ in wafers), *cells))
    except OSError as error:
        raise DrycellError(f"{path} cannot be written ({error.strerror})") from None


def read_lot(path: Path) -> list[Row]:
    """The rows of a file. Raises DrycellError naming the line that is wrong."""
    csv.field_size_limit(_CELL_LIMIT)
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise DrycellError(f"{path} is larger than {_SIZE_LIMIT_BYTES >> 20} MiB")
        with path.open(encoding="utf-8", newline="") as file:
            return _rows(path, csv.reader(file, strict=True))
    except OSError as error:
        raise DrycellError(f"devices.file: {path} cannot be read ({error.strerror})") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DrycellError(f"devices.file: {path} is no CSV file in UTF-8 ({error})") from None


def _rows(path: Path, lines: Iterable[list[str]]) -> list[Row]:
    numbered = enumerate(lines, start=1)
    _, head = next(numbered, (0, []))
    if tuple(head[:3]) != _FIXED or len(set(head)) != len(head):
        raise DrycellError(f"{path}, line 1: the columns must be {', '.join(_FIXED)}, then one for each question")
    rows = []
    for number, cells in numbered:
        if not any(cells):
            continue
        try:
            touchdown, site, part, *answers = cells
            told = dict(zip(head[3:], answers, strict=True))
            wafer = told.pop(_WAFER, "") if head[3:4] == [_WAFER] else ""
            known = {q: tuple(a.split(_BETWEEN)) for q, a in told.items() if a}
            row = Row(int(touchdown), int(site), part, known, wafer)
        except ValueError:
            raise DrycellError(
                f"{path}, line {number}: {len(head)} columns are expected, touchdown and site as whole numbers"
            ) from None
        if bool(part) != bool(row.touchdown) or not 0 <= row.site <= 255 or row.touchdown < 0:
            raise DrycellError(
                f"{path}, line {number}: touchdown counts from 1 and part is a name, or 0 and none; site is 0 to 255"
            )
        rows.append(row)
    if not any(row.part for row in rows):
        raise DrycellError(f"{path} holds no devices")
    return rows
