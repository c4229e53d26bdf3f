"""Reads single STDF records with Semi-ATE-STDF; runs in that library's own environment, never with drycell.

stdin: {"order": "<" or ">", "records": [hex, ...]}; stdout: a list of {"fields": {...}} or {"error": text}.
"""

import json
import sys

from Semi_ATE.STDF.utils import create_record_object


def main():
    task = json.load(sys.stdin)
    json.dump([answer(task["order"], bytes.fromhex(raw)) for raw in task["records"]], sys.stdout)


def answer(order, raw):
    try:
        record = create_record_object("V4", order, (raw[2], raw[3]), raw)
        fields = sorted(record.fields.items(), key=lambda item: item[1]["#"])
        return {"fields": {k: value(f) for k, f in fields if not k.startswith("REC_")}, "again": bytes_of(record)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def bytes_of(record):
    try:
        return record.__repr__().hex()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def value(field):
    v = field["Value"]
    if field["Type"] == "B*1" and isinstance(v, list):
        return int("".join(map(str, v)), 2)
    return v.decode("latin-1") if isinstance(v, bytes) else v


main()
