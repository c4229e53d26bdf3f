"""Reads and rebuilds single STDF records with stdf-tamer; runs in that library's own environment, never with drycell.

stdin: {"order": "<", "records": [hex, ...]}; stdout: a list of {"fields": {...}, "again": hex} or {"error": text}.
"""

import io
import json
import sys

from ams_rw_stdf import RECORD, parse_record


def main():
    task = json.load(sys.stdin)
    json.dump([answer(bytes.fromhex(raw)) for raw in task["records"]], sys.stdout)


def answer(raw):
    try:
        record = parse_record(io.BytesIO(raw))
        if record.PL is None:
            return {"error": "not supported"}
        fields = {k: plain(v) for k, v in record.PL.items() if not k.startswith("_")}
        return {"fields": fields, "again": bytes_of(record)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def bytes_of(record):
    try:
        return RECORD.build(record).hex()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def plain(v):
    if isinstance(v, bytes):
        return v.decode("latin-1")
    if v is None or isinstance(v, (int, float, str)):
        return v
    try:
        return [plain(x) for x in v]
    except TypeError:
        return repr(v)


main()
