"""The command line of a test program: the five launch options of the sequencer specification, and what it is made of.

Rules
- Every option is taken with hyphens and with underscores; unknown options are ignored, since masters pass more.
- The bin table of a Semi-ATE master comes in an environment variable named like the script.
"""

import argparse
import ast
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drycell.runtime.program.definition import Program
from drycell.runtime.program.errors import ProgramError
from drycell.runtime.program.sequencer import Launch, Sequencer
from drycell.runtime.protocol.dialects import DIALECTS

INTERRUPTED = 130
REFUSED = 3


def main(program: Program) -> None:
    """Run ``program`` as ``sys.argv`` says; ends the process."""
    script = Path(sys.argv[0])
    try:
        code = run(program, sys.argv[1:], script, os.environ)
    except ProgramError as error:
        print(f"{script.name}: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        code = REFUSED
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.stdout.flush()
    sys.exit(code)


def run(program: Program, arguments: Sequence[str], script: Path, environment: Mapping[str, str]) -> int:
    """The exit code of the program. Raises ProgramError for what cannot be started."""
    options, _ = _parser(script.name).parse_known_args(_underscored(arguments))
    if options.describe:
        print(json.dumps(describe(program, script.stem), indent=2))  # noqa: T201 - a command's own output
        return 0
    from drycell.runtime.program.bench import Bench  # paho-mqtt, which describing a program does not need

    world = Bench(options.broker_host, options.broker_port, parent_pid=options.parent_pid, environment=environment)
    table = _bin_table(environment.get(script.stem)) if options.bin_strategytype == "external" else None
    launch = Launch(_device(options.device_id), options.site_id, table)
    return Sequencer(program, launch, world, DIALECTS[options.dialect]).run()


def describe(program: Program, name: str) -> dict[str, Any]:
    """What ``program`` is made of, as JSON: tests, inputs, limits and bins."""
    return {
        "name": name,
        "bins": {
            str(hard): {str(soft): text for soft, text in softs.items()} for hard, softs in program.bins.items()
        },
        "tests": [
            {
                "name": test.name,
                "number": test.number,
                "inputs": dict(test.inputs),
                "bin": test.bin,
                "outputs": [
                    {
                        "name": output.name,
                        "number": output.test_num,
                        "low": output.limit.low,
                        "high": output.limit.high,
                        "unit": output.unit,
                        "bin": output.bin,
                    }
                    for output in test.outputs
                ],
            }
            for test in program.tests
        ],
    }


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description="A test program of drycell's SDK.", allow_abbrev=False)
    parser.add_argument("--device_id", default="developmode", help="the cell it runs in (default developmode)")
    parser.add_argument("--site_id", type=_site, default=0, help="its site (default 0)")
    parser.add_argument("--broker_host", default="127.0.0.1", help="the MQTT broker (default 127.0.0.1)")
    parser.add_argument("--broker_port", type=int, default=1883, help="and its port (default 1883)")
    parser.add_argument("--parent_pid", type=int, help="end when this process has ended")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="semi-ate", help="what it speaks")
    parser.add_argument("--bin_strategytype", default="file", help="external: the master gives the bin table")
    parser.add_argument("--describe", action="store_true", help="print tests, limits and bins as JSON, and end")
    return parser


def _underscored(arguments: Sequence[str]) -> list[str]:
    """Option names with underscores only; values are left alone."""
    found = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        found.append(name.replace("-", "_").replace("__", "--", 1) + equals + value if name[:2] == "--" else argument)
    return found


def _site(text: str) -> int:
    site = int(text)
    if not 0 <= site <= 255:
        raise argparse.ArgumentTypeError("STDF has sites 0 to 255")
    return site


def _device(text: str) -> str:
    if not text or any(mark in text for mark in "/+#\0"):
        raise ProgramError(f"{text!r} is no device id; it is one level of an MQTT topic")
    return text


def _bin_table(text: str | None) -> dict[int, tuple[int, ...]] | None:
    """The master's {hard bin: [soft bin, ...]}, None when there is none."""
    if text is None:
        return None
    try:
        table = ast.literal_eval(text)
        return {int(hard): tuple(int(soft) for soft in softs) for hard, softs in table.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError, RecursionError, MemoryError):
        raise ProgramError("the bin table in its environment is none: {'1': ['1'], ...} is expected") from None
