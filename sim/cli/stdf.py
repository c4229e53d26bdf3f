"""``drycell stdf cat|check|diff``: dump, judge and compare STDF files. Data goes to stdout, talk to stderr.

Exit codes: 0 fine, 1 a rule is violated or the files differ, 3 a file cannot be used.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drycell.runtime.stdf import Gap, StdfError, read_tolerant
from drycell.runtime.stdf.atdf import line
from drycell.runtime.stdf.checks import Report, check
from drycell.runtime.stdf.compare import TIMES, Difference, compare
from drycell.runtime.stdf.records import TYPES
from drycell.runtime.stdf.tally import EVERY, PartCount
from drycell.sim.cli.output import print_text, talk

FINE, VIOLATED, UNUSABLE = 0, 1, 3


def cat(args: argparse.Namespace) -> int:
    """Prints every readable record; names the gaps on stderr."""
    only = _types(args.only)
    if only is None:
        return UNUSABLE
    return max(_guarded(path, lambda path: _cat(path, only)) for path in args.files)


def judge(args: argparse.Namespace) -> int:
    """Prints the verdict on each file with its reasons."""
    show = _check_json if args.json else _check_text
    return max(_guarded(path, show) for path in args.files)


def diff(args: argparse.Namespace) -> int:
    """Prints what differs."""
    mask = (frozenset() if args.times else TIMES) | frozenset(args.mask)
    unknown = [m for m in mask if not _is_field(m)]
    if unknown:
        return _say(f"--mask {unknown[0]}: no such field; right would be TYPE.FIELD, for example PRR.TEST_T")
    first, second = args.files
    code = _guarded(first, _first_record) or _guarded(second, _first_record)
    if code:
        return code
    return _guarded(first, lambda path: _diff(path, second, mask, args.json))


def _cat(path: Path, only: frozenset[str]) -> int:
    code = UNUSABLE
    damaged = False
    for item in read_tolerant(path):
        if isinstance(item, Gap):
            damaged = True
            talk(f"{path}: {item.error} ({item.length} bytes skipped)")
            continue
        code = FINE
        if not only or item.name in only:
            print_text(line(item))
    return VIOLATED if damaged and code == FINE else code


def _check_text(path: Path) -> int:
    report = check(path)
    for finding in report.findings:
        print_text(f"{path}: {finding}")
    if report.more:
        print_text(f"{path}: and {report.more} more")
    total = report.tally.parts.get(EVERY, PartCount())
    verdict = {FINE: "fine", VIOLATED: "violated", UNUSABLE: "not an STDF file"}[_code(report)]
    count = sum(report.records.values())
    print_text(f"{path}: {verdict}: {count} records, {total.parts} parts, {total.good} good, {report.errors} errors")
    return _code(report)


def _check_json(path: Path) -> int:
    report = check(path)
    total = report.tally.parts.get(EVERY, PartCount())
    finals = report.tally.finals()
    answer = {
        "file": str(path),
        "verdict": {FINE: "fine", VIOLATED: "violated", UNUSABLE: "unusable"}[_code(report)],
        "finished": report.finished,
        "records": dict(sorted(report.records.items())),
        "parts": total.parts,
        "good": total.good,
        "retests": total.retests,
        "devices": len(finals),
        "devices_good": sum(final.good for final in finals),
        "hard_bins": {str(n): c.parts for (site, n), c in sorted(report.tally.hard.items()) if site == EVERY},
        "soft_bins": {str(n): c.parts for (site, n), c in sorted(report.tally.soft.items()) if site == EVERY},
        "findings": [asdict(finding) for finding in report.findings],
        "findings_not_shown": report.more,
    }
    print_text(json.dumps(answer))
    return _code(report)


def _code(report: Report) -> int:
    if not report.usable:
        return UNUSABLE
    return VIOLATED if report.errors else FINE


def _diff(first: Path, second: Path, mask: frozenset[str], as_json: bool) -> int:
    found = list(compare(first, second, mask=mask))
    if as_json:
        files = [str(first), str(second)]
        answer = {"files": files, "masked": sorted(mask), "differences": [_plain(d) for d in found]}
        print_text(json.dumps(answer))
    else:
        for difference in found:
            print_text(str(difference))
    return VIOLATED if found else FINE


def _plain(difference: Difference) -> dict[str, Any]:
    plain = asdict(difference)
    plain["values"] = [_json_value(v) for v in difference.values]
    return plain


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, list):
        return [_json_value(v) for v in value]
    return repr(value)  # floats too: JSON has no NaN and no infinities


def _first_record(path: Path) -> int:
    if any(not isinstance(item, Gap) for item in read_tolerant(path)):
        return FINE
    return _say(f"{path}: not an STDF file: no record can be read; right would be a file that begins with FAR")


def _types(text: str | None) -> frozenset[str] | None:
    names = frozenset((text or "").split(",")) - {""}
    for name in sorted(names):
        if name not in TYPES:
            _say(f"--only {name}: no such record type; right would be for example PTR or PRR,MRR")
            return None
    return names


def _is_field(name: str) -> bool:
    rec, _, field = name.partition(".")
    return rec in TYPES and field in TYPES[rec].index


def _guarded(path: Path, act: Callable[[Path], int]) -> int:
    """Runs on one file; a file that cannot be read is one sentence and exit code 3."""
    try:
        return act(path)
    except BrokenPipeError:
        raise  # the reader of our stdout has seen enough: the command knows what to do
    except OSError as error:
        return _say(f"{path}: cannot be read: {error.strerror or error}; right would be a readable STDF V4 file")
    except StdfError as error:
        return _say(f"{path}: {error}")


def _say(sentence: str) -> int:
    talk(f"drycell: {sentence}")
    return UNUSABLE
