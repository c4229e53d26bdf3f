"""Writes single STDF records with Semi-ATE-STDF; runs in that library's own environment, never with drycell.

stdin: {"order": "<" or ">", "records": [{"name": ..., "fields": {...}}, ...]}; stdout: a list of hex or error texts.
Bit fields (B*1, B*n, D*n) come as lists of "0" and "1".
"""

import json
import sys

from Semi_ATE.STDF.utils import create_record_object


def main():
    task = json.load(sys.stdin)
    json.dump([written(task["order"], r["name"], r["fields"]) for r in task["records"]], sys.stdout)


def written(order, name, fields):
    try:
        record = create_record_object("V4", order, name)
        for field, value in fields.items():
            record.set_value(field, value)
        return record.__repr__().hex()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


main()
