"""From the command line to a verb and from its end to an exit code; nothing else happens here."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drycell.sim.cli.crash import write_traceback
from drycell.sim.cli.parsing import parse
from drycell.sim.cli.verbs import carry_out, command
from drycell.sim.errors import DrycellError

if TYPE_CHECKING:
    from drycell.sim.cli.runner import Runner

OK, USAGE, INTERRUPTED = 0, 3, 130


def main(argv: Sequence[str] | None = None, *, runner: "Runner | None" = None) -> int:
    """Run ``drycell`` with ``argv`` (default: the process's own) and return its exit code.

    ``runner`` takes the place of the simulated cell; for tests and for programs that drive another one.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    code = USAGE
    try:
        code = _dispatch(words, runner)
        sys.stdout.flush()
    except DrycellError as error:
        _say(f"drycell: {error}")
    except KeyboardInterrupt:
        code = INTERRUPTED
        _say("drycell: interrupted")
    except BrokenPipeError:
        _close_stdout()
    except Exception as error:
        _say(f"drycell: internal error ({type(error).__name__}); the full traceback is in {write_traceback(Path())}")
    return code


def _dispatch(words: list[str], runner: "Runner | None") -> int:
    parser = command()
    if not words:
        parser.print_help()
        return OK
    arguments = parse(parser, words)
    if arguments is None:
        return OK
    arguments.runner = runner
    return carry_out(arguments)


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        pass


def _close_stdout() -> None:
    """The reader of our output has gone, which is no mistake; keep Python from complaining about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
