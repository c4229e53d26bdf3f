"""One timed pass of a foreign STDF library; run by bench_stdf in that library's own environment.

Arguments: library, "read" or "write", file, count. Prints records and seconds.
"""

import io
import sys
import time
from pathlib import Path

PTR = {
    "HEAD_NUM": 0, "SITE_NUM": 1, "TEST_FLG": ["0"] * 8, "PARM_FLG": ["0"] * 8, "RESULT": 1.5,
    "TEST_TXT": "regulator.output voltage", "ALARM_ID": "", "OPT_FLAG": ["0"] * 6 + ["1", "0"], "RES_SCAL": 3,
    "LLM_SCAL": 3, "HLM_SCAL": 3, "LO_LIMIT": 0.5, "HI_LIMIT": 2.5, "UNITS": "V", "C_RESFMT": "%7.3f",
    "C_LLMFMT": "%7.3f", "C_HLMFMT": "%7.3f", "LO_SPEC": 0.25, "HI_SPEC": 2.75,
}  # fmt: skip


def semi_ate_read(path, _count):
    from Semi_ATE.STDF import records_from_file

    start = time.perf_counter()
    n = sum(1 for _ in records_from_file(path))
    return n, time.perf_counter() - start


def semi_ate_write(path, count):
    import Semi_ATE.STDF

    with Path(path).open("wb") as out:
        start = time.perf_counter()
        for i in range(count):
            record = Semi_ATE.STDF.PTR("V4", "<")
            record.set_value("TEST_NUM", i)
            for name, value in PTR.items():
                record.set_value(name, value)
            out.write(record.__repr__())
        return count, time.perf_counter() - start


class Count:
    n = 0

    def after_send(self, _source, _data):
        self.n += 1


def pystdf_read(path, _count):
    from pystdf.IO import Parser

    sink = Count()
    with Path(path).open("rb") as stream:
        parser = Parser(inp=stream)
        parser.addSink(sink)
        start = time.perf_counter()
        parser.parse()
        return sink.n, time.perf_counter() - start


def stdf_tamer_read(path, _count):
    from ams_rw_stdf import parse_record

    with Path(path).open("rb") as stream:
        n, start = 0, time.perf_counter()
        while True:
            try:
                parse_record(stream)
            except EOFError:
                return n, time.perf_counter() - start
            n += 1


def stdf_tamer_write(path, count):
    from ams_rw_stdf import RECORD

    values = {k: int("".join(v), 2) if isinstance(v, list) else v for k, v in PTR.items()}
    with Path(path).open("wb") as out:
        start = time.perf_counter()
        for i in range(count):
            body = {"TEST_NUM": i, **values}
            out.write(RECORD.build({"REC_TYP": 15, "REC_SUB": 10, "PL": body}))
        return count, time.perf_counter() - start


def main():
    library, what, path, count = sys.argv[1:]
    real, sys.stdout = sys.stdout, io.StringIO()
    n, seconds = globals()[f"{library}_{what}"](path, int(count))
    print(n, seconds, file=real)


main()
