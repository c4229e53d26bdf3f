"""Reads single STDF records with pystdf; runs in that library's own environment, never with drycell.

stdin: {"order": "<" or ">", "records": [hex, ...]}; stdout: a list of {"fields": {...}} or {"error": text}.
"""

import io
import json
import sys

from pystdf.IO import Parser


class Sink:
    def after_send(self, source, data):
        kind, values = data
        self.last = {name: plain(v) for (name, _), v in zip(kind.fieldMap, values, strict=False)}
        self.name = type(kind).__name__


def plain(v):
    return v.decode("latin-1") if isinstance(v, bytes) else v


def answer(order, raw):
    far = b"\x02\x00\x00\x0a\x02\x04" if order == "<" else b"\x00\x02\x00\x0a\x01\x04"
    sink = Sink()
    sink.last = sink.name = None
    try:
        parser = Parser(inp=io.BytesIO(far + raw if raw[2:4] != b"\x00\x0a" else raw))
        parser.addSink(sink)
        parser.parse()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if sink.name == "Far" and raw[2:4] != b"\x00\x0a":
        return {"error": "not given"}
    return {"fields": sink.last}


def main():
    task = json.load(sys.stdin)
    sys.stdout, real = io.StringIO(), sys.stdout  # the library talks on stdout
    answers = [answer(task["order"], bytes.fromhex(raw)) for raw in task["records"]]
    json.dump(answers, real)


main()
