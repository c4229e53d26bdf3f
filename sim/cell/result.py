"""What a run comes to: the value that the command, the run store, reports and campaigns are handed.

Rules
- A result holds only values; everything in it can be derived again from the run directory.
- ``to_json`` is the published shape of ``drycell run --json``; ``to_record`` is what ``verdict.json`` keeps and
  ``from_record`` reads it back without loss.
- ``verdict`` follows from the oracles by :func:`overall` (architecture, section 9); nobody decides it a second time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from drycell.sim.errors import DrycellError

Verdict = Literal["holds", "violated", "unknown"]
RECORD_FORMAT = 1
DONE = "the lot is done"
"""Why a run ended that has come to its end: every lot was unloaded."""
BLOCKED = "blocked.txt"  # stacks of programs that slept or waited outside of simulated time, in the run directory
_EXIT_CODES: Mapping[str, int] = {"holds": 0, "violated": 1, "unknown": 2}


class OracleResult(NamedTuple):
    """One oracle's answer.

    ``evidence``: sequence numbers of the journal events that prove it. ``text``: one sentence for a person.
    ``required``: named under ``expect``; the others are ambient and an ambient "unknown" counts for nothing.
    """

    name: str
    verdict: Verdict
    evidence: tuple[int, ...] = ()
    text: str = ""
    required: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``evidence`` is a list of event numbers."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "evidence": list(self.evidence),
            "text": self.text,
            "required": self.required,
        }


def overall(oracles: Iterable[OracleResult]) -> Verdict:
    """The run's verdict: violated before unknown before holds; ambient unknowns are no objection."""
    answers = list(oracles)
    if any(oracle.verdict == "violated" for oracle in answers):
        return "violated"
    if any(oracle.required and oracle.verdict == "unknown" for oracle in answers):
        return "unknown"
    return "holds"


@dataclass(frozen=True, slots=True)
class RunResult:
    """The outcome of one run.

    ``virtual_s``/``wall_s``: simulated and real duration. ``parts``: devices that got a final bin.
    ``soft_bins``/``hard_bins``: bin number -> devices, each device counted once with its final bin.
    ``yield_``: fraction 0..1 of ``parts`` that passed, 0.0 for no parts. ``deterministic``: whether nothing was
    noticed that could make a second run differ. ``versions``: component -> version. ``problems``: sentences for the
    user. ``soft_bin_names``: what the program calls its bins, when it says so. ``stdf_path`` and ``run_dir`` are as
    given by the runner.
    """

    verdict: Verdict
    oracles: tuple[OracleResult, ...]
    journal_sha256: str
    virtual_s: float
    wall_s: float
    parts: int
    soft_bins: Mapping[int, int]
    hard_bins: Mapping[int, int]
    yield_: float
    stdf_path: Path | None
    run_dir: Path
    deterministic: bool
    rung: str
    pace: str
    seed: int
    versions: Mapping[str, str]
    problems: tuple[str, ...] = ()
    soft_bin_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 holds, 1 violated, 2 a required oracle is unknown (architecture, section 9)."""
        return _EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The object printed by ``drycell run --json``: exactly the keys of the architecture, section 12."""
        return {
            "verdict": self.verdict,
            "oracles": [oracle.to_json() for oracle in self.oracles],
            "journal_sha256": self.journal_sha256,
            "virtual_s": self.virtual_s,
            "wall_s": self.wall_s,
            "parts": self.parts,
            "soft_bins": _text_keys(self.soft_bins),
            "hard_bins": _text_keys(self.hard_bins),
            "yield": self.yield_,
            "stdf_path": None if self.stdf_path is None else str(self.stdf_path),
            "run_dir": str(self.run_dir),
            "deterministic": self.deterministic,
            "rung": self.rung,
            "pace": self.pace,
            "seed": self.seed,
            "versions": dict(self.versions),
        }

    def to_record(self) -> dict[str, Any]:
        """The content of ``verdict.json``: :meth:`to_json` with what a later ``drycell show`` also needs."""
        return {
            "drycell_verdict": RECORD_FORMAT,
            **self.to_json(),
            "problems": list(self.problems),
            "soft_bin_names": _text_keys(self.soft_bin_names),
        }


def from_record(record: Any, run_dir: Path) -> RunResult:
    """The result that ``to_record`` described; ``run_dir`` is where it lies now. Raises DrycellError otherwise."""
    if not isinstance(record, dict) or record.get("drycell_verdict") != RECORD_FORMAT:
        raise DrycellError(f"{run_dir}: verdict.json is not a verdict of format {RECORD_FORMAT}")
    try:
        return RunResult(
            verdict=_verdict(record["verdict"]),
            oracles=tuple(_oracle(entry) for entry in record["oracles"]),
            soft_bins=_int_keys(record["soft_bins"]),
            hard_bins=_int_keys(record["hard_bins"]),
            yield_=record["yield"],
            stdf_path=_path(record["stdf_path"]),
            run_dir=run_dir,
            problems=tuple(record["problems"]),
            soft_bin_names=_int_keys(record["soft_bin_names"]),
            **{key: record[key] for key in _PLAIN},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DrycellError(f"{run_dir}: verdict.json is damaged ({type(error).__name__}: {error})") from None


_PLAIN = (
    *("journal_sha256", "virtual_s", "wall_s", "parts", "deterministic"),
    *("rung", "pace", "seed", "versions"),
)


def _oracle(entry: dict[str, Any]) -> OracleResult:
    verdict, evidence = _verdict(entry["verdict"]), tuple(entry["evidence"])
    return OracleResult(entry["name"], verdict, evidence, entry["text"], entry["required"])


def _verdict(word: str) -> Verdict:
    for verdict in get_args(Verdict):
        if word == verdict:
            found: Verdict = verdict
            return found
    raise ValueError(f"unknown verdict {word!r}")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _text_keys(mapping: Mapping[int, Any]) -> dict[str, Any]:
    return {str(key): mapping[key] for key in sorted(mapping)}


def _int_keys(mapping: Mapping[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}
