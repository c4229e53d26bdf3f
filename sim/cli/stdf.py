"""``drycell stdf cat|check|diff``: dump, judge and compare STDF files. Data goes to stdout, talk to stderr.

Exit codes: 0 fine, 1 a rule is violated or the files differ, 3 a file cannot be used.
"""

import argparse
import json
import os
import sys
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

FINE, VIOLATED, UNUSABLE = 0, 1, 3


def add_parser(subparsers: Any) -> None:
    """Adds the verb ``stdf``; the chosen function is ``handler`` of the parsed arguments."""
    verb = subparsers.add_parser("stdf", help="dump, judge and compare STDF V4 files")
    verbs = verb.add_subparsers(dest="stdf_verb", required=True, metavar="cat|check|diff")
    cat = verbs.add_parser("cat", help="print records as ATDF text")
    cat.add_argument("files", nargs="+", metavar="FILE")
    cat.add_argument("--only", metavar="TYPES", help="record types to print, for example PRR,MRR")
    cat.set_defaults(handler=run_cat)
    judge = verbs.add_parser("check", help="judge files: damage, order, pairing, counts")
    judge.add_argument("files", nargs="+", metavar="FILE")
    judge.add_argument("--json", action="store_true", help="print the verdict as JSON")
    judge.set_defaults(handler=run_check)
    diff = verbs.add_parser("diff", help="compare two files, times masked")
    diff.add_argument("files", nargs=2, metavar="FILE")
    diff.add_argument("--times", action="store_true", help="compare times too")
    diff.add_argument("--mask", action="append", default=[], metavar="TYPE.FIELD", help="a further field to ignore")
    diff.add_argument("--json", action="store_true", help="print the differences as JSON")
    diff.set_defaults(handler=run_diff)


def run_cat(args: argparse.Namespace) -> int:
    """Prints every readable record; names the gaps on stderr."""
    only = _types(args.only)
    if only is None:
        return UNUSABLE
    return max(_guarded(name, lambda path: _cat(path, only)) for name in args.files)


def run_check(args: argparse.Namespace) -> int:
    """Prints the verdict on each file with its reasons."""
    show = _check_json if args.json else _check_text
    return max(_guarded(name, show) for name in args.files)


def run_diff(args: argparse.Namespace) -> int:
    """Prints what differs."""
    mask = (frozenset() if args.times else TIMES) | frozenset(args.mask)
    unknown = [m for m in mask if not _is_field(m)]
    if unknown:
        return _say(f"--mask {unknown[0]}: no such field; right would be TYPE.FIELD, for example PRR.TEST_T")
    first, second = args.files
    code = _guarded(first, _first_record) or _guarded(second, _first_record)
    if code:
        return code
    return _guarded(first, lambda path: _diff(path, Path(second), mask, args.json))


def _cat(path: Path, only: frozenset[str]) -> int:
    code = UNUSABLE
    damaged = False
    for item in read_tolerant(path):
        if isinstance(item, Gap):
            damaged = True
            print(f"{path}: {item.error} ({item.length} bytes skipped)", file=sys.stderr)  # noqa: T201
            continue
        code = FINE
        if not only or item.name in only:
            print(line(item))  # noqa: T201
    return VIOLATED if damaged and code == FINE else code


def _check_text(path: Path) -> int:
    report = check(path)
    for finding in report.findings:
        print(f"{path}: {finding}")  # noqa: T201
    if report.more:
        print(f"{path}: and {report.more} more")  # noqa: T201
    total = report.tally.parts.get(EVERY, PartCount())
    verdict = {FINE: "fine", VIOLATED: "violated", UNUSABLE: "not an STDF file"}[_code(report)]
    count = sum(report.records.values())
    print(f"{path}: {verdict}: {count} records, {total.parts} parts, {total.good} good, {report.errors} errors")  # noqa: T201
    return _code(report)


def _check_json(path: Path) -> int:
    report = check(path)
    total = report.tally.parts.get(EVERY, PartCount())
    answer = {
        "file": str(path),
        "verdict": {FINE: "fine", VIOLATED: "violated", UNUSABLE: "unusable"}[_code(report)],
        "finished": report.finished,
        "records": dict(sorted(report.records.items())),
        "parts": total.parts,
        "good": total.good,
        "retests": total.retests,
        "hard_bins": {str(n): c.parts for (site, n), c in sorted(report.tally.hard.items()) if site == EVERY},
        "soft_bins": {str(n): c.parts for (site, n), c in sorted(report.tally.soft.items()) if site == EVERY},
        "findings": [asdict(finding) for finding in report.findings],
        "findings_not_shown": report.more,
    }
    print(json.dumps(answer))  # noqa: T201
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
        print(json.dumps(answer))  # noqa: T201
    else:
        for difference in found:
            print(difference)  # noqa: T201
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


def _guarded(name: str, act: Callable[[Path], int]) -> int:
    """Runs on one file; a file that cannot be read is one sentence and exit code 3."""
    try:
        return act(Path(name))
    except BrokenPipeError:  # the reader of our stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except OSError as error:
        return _say(f"{name}: cannot be read: {error.strerror or error}; right would be a readable STDF V4 file")
    except StdfError as error:
        return _say(f"{name}: {error}")


def _say(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201
    return UNUSABLE
