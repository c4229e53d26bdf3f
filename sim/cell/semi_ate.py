"""Make a second virtual environment with Semi-ATE, and a runnable test program out of definitions and do() bodies.

Rules that hold here:
- Semi-ATE is a separate GPL program: it is installed beside drycell, started as a process, never imported, and no
  file generated from its templates leaves the cache of the user.
- Everything made is kept under a name that is the hash of what it was made from, so it is made once; a file lock lets
  several commands ask at the same time. A folder without its marker is half made and is made again.
- The versions below were proven together; nothing is left to a resolver.
"""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from drycell.sim.errors import DrycellError

VERSION = "1.0.17"
PYTHONS = ((3, 11), (3, 13))
RECIPE = 1  # raise when the way of making changes, so that nothing made the old way is found again

# Installed in this order. The source packages are built without isolation, because the set-up of semi-ate-testers
# imports what it depends on in order to read its own version.
WHEELS = (
    "setuptools==80.9.0",
    "wheel==0.45.1",
    "annotated-types==0.8.0",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
    "numpy==2.4.6",
    "paho-mqtt==2.2.0",
    "pluggy==1.7.0",
    "pydantic==2.14.3",
    "pydantic-core==2.50.4",
    "requests==2.34.2",
    "six==1.17.0",
    "transitions==0.9.3",
    "typing-extensions==4.16.0",
    "typing-inspection==0.4.5",
    "urllib3==2.8.0",
    "xlsxwriter==3.3.1",
)
SOURCES = (
    "aiomqtt==0.1.3",
    "Semi-ATE-STDF==0.1.28",
    *(f"semi-ate-{part}=={VERSION}" for part in ("common", "apps-common", "plugins", "test-app")),
    *(f"semi-ate-{part}=={VERSION}" for part in ("project-database", "sammy")),
)
TESTERS = (f"semi-ate-testers=={VERSION}",)
MASTER = (f"semi-ate-control-app=={VERSION}", f"semi-ate-master-app=={VERSION}")

_UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Max retries exceeded",
    "ProxyError",
    "SSLError",
)
_SAMMY = "import sys; from ate_sammy.sammy import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that can be started: ``python program`` with ``folder`` as working directory."""

    python: Path
    program: Path
    folder: Path
    project: Path
    key: str
    versions: dict[str, str]


def cache_root() -> Path:
    """Where everything made is kept: $DRYCELL_CACHE, else $XDG_CACHE_HOME/drycell, else ~/.cache/drycell."""
    named = os.environ.get("DRYCELL_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache")).expanduser().absolute() / "drycell"


def prepare(
    definitions: Path,
    *,
    python: Path | str | None = None,
    with_master: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Make (or find in the cache) the Semi-ATE environment and the program of a demo-like folder.

    ``definitions`` is the folder that holds ``definitions/`` (Semi-ATE's JSON tree), ``do/`` (one file with a
    function ``do`` per test, and helper modules) and ``binning.json``. ``python`` is the interpreter that the
    environment is made with, by default the one drycell runs on. ``say`` gets one line before each slow step.
    Raises DrycellError if anything of it is missing or cannot be installed.
    """
    source = _Source.read(definitions)
    environment = make_environment(python=python, with_master=with_master, say=say)
    key = _digest([RECIPE, str(environment), *((str(n), d.hex()) for n, d in source.contents())])
    home = cache_root() / "programs" / key
    with _locked(cache_root() / "locks" / f"program-{key}", say):
        if not (home / ".ready").exists():
            say(f"generating the test program {source.program} with sammy")
            shutil.rmtree(home, ignore_errors=True)
            _generate(source, environment / "bin" / "python", home)
            (home / ".ready").touch()
    project = home / source.project
    folder = project / source.project / source.hardware / source.base
    versions = json.loads((environment / "versions.json").read_text("utf-8"))
    return Prepared(environment / "bin" / "python", folder / f"{source.program}.py", folder, project, key, versions)


def make_environment(
    *,
    python: Path | str | None = None,
    with_master: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Make (or find) the virtual environment with Semi-ATE and return its folder.

    Raises DrycellError for an unfit Python, an unreachable package index, or a failing installation.
    """
    base = str(python or sys.executable)
    version, prefix = _python_facts(base)
    _refuse_unfit(base, version, with_master)
    groups = [WHEELS, SOURCES, TESTERS, *([MASTER] if with_master else [])]
    home = cache_root() / "environments" / _digest([RECIPE, version, prefix, groups])
    with _locked(cache_root() / "locks" / f"environment-{home.name}", say):
        if not (home / "versions.json").exists():
            say(f"making a virtual environment with Semi-ATE {VERSION} (once; about a minute)")
            shutil.rmtree(home, ignore_errors=True)
            _install(base, home, groups)
    return home


# ---- the environment


def _python_facts(python: str) -> tuple[tuple[int, int, int], str]:
    ask = "import sys; print(*sys.version_info[:3], sys.base_prefix)"
    try:
        done = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, timeout=60, check=True)
        major, minor, micro, prefix = done.stdout.strip().split(" ", 3)
        return (int(major), int(minor), int(micro)), prefix
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise DrycellError(
            f"{python} is no Python interpreter that can be started ({_first_line(error)});"
            " name a Python 3.11, 3.12 or 3.13."
        ) from None


def _refuse_unfit(python: str, version: tuple[int, int, int], with_master: bool) -> None:
    last = (3, 12) if with_master else PYTHONS[1]
    if not PYTHONS[0] <= version[:2] <= last:
        what = "Semi-ATE's master" if with_master else f"Semi-ATE {VERSION}"
        raise DrycellError(
            f"{python} is Python {version[0]}.{version[1]}, but {what} runs on Python 3.11 to {last[0]}.{last[1]};"
            " name one of these."
        )


def _install(python: str, home: Path, groups: Sequence[Sequence[str]]) -> None:
    logs = cache_root() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"environment-{home.name}.txt"
    log.unlink(missing_ok=True)
    has_pip = _run([sys.executable, "-m", "pip", "--version"], log) == 0
    _must([python, "-m", "venv", *(["--without-pip"] if has_pip else []), str(home)], log, "making the environment")
    target = str(home / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", target] if has_pip else [target, "-m", "pip"]
    options = ["--disable-pip-version-check", "--no-input", "--retries", "1", "--no-warn-script-location"]
    for group in groups:
        resolve = [] if group is MASTER else ["--no-deps"]
        isolation = [] if group in (WHEELS, MASTER) else ["--no-build-isolation"]
        _must([*pip, "install", *options, *resolve, *isolation, *group], log, f"installing {group[-1]}")
    show = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([target, "-I", "-c", show], capture_output=True, text=True, check=True)
    (home / "versions.json").write_text(done.stdout, "utf-8")


def _run(command: Sequence[str], log: Path, cwd: Path | None = None) -> int:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        try:
            return subprocess.call(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env=environment
            )
        except OSError as error:
            out.write(f"{error}\n".encode())
            return 127


def _must(command: Sequence[str], log: Path, what: str, cwd: Path | None = None) -> None:
    code = _run(command, log, cwd)
    if code == 0:
        return
    text = log.read_text("utf-8", "replace")
    if any(sign in text for sign in _UNREACHABLE):
        raise DrycellError(
            f"Semi-ATE {VERSION} could not be installed because the package index did not answer (see {log});"
            " connect, or set PIP_INDEX_URL to a mirror, or use rung model, which needs no Semi-ATE packages."
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    raise DrycellError(f"{what} failed with exit code {code}: {(errors or lines)[-1][:200]} (all of it in {log}).")


# ---- the program


@dataclass(frozen=True, slots=True)
class _Source:
    """What a person wrote: the definitions tree, the do() bodies, the bin table."""

    root: Path
    program: str
    project: str
    hardware: str
    base: str
    tests: tuple[str, ...]

    @staticmethod
    def read(root: Path) -> "_Source":
        for name in ("definitions", "do", "binning.json"):
            if not (root / name).exists():
                raise DrycellError(f"{root} has no {name}; a program is made of definitions/, do/ and binning.json.")
        programs = _rows(root / "definitions" / "program")
        if len(programs) != 1:
            raise DrycellError(
                f"{root / 'definitions' / 'program'} defines {len(programs)} programs; it must be one."
            )
        one = programs[0]
        sequence = _rows(root / "definitions" / "sequence")
        tests = tuple(sorted({str(row["test"]) for row in sequence}))
        for test in tests:
            if not (root / "do" / f"{test}.py").is_file():
                raise DrycellError(f"{root / 'do'} has no {test}.py with the do() of test {test}.")
        name, hardware, base = str(one["prog_name"]), str(one["hardware"]), str(one["base"])
        return _Source(root, name, name.split(f"_{hardware}_")[0], hardware, base, tests)

    def contents(self) -> Iterator[tuple[Path, bytes]]:
        """Every file that the program is made from, in a fixed order, with its content's hash."""
        for part in ("definitions", "do"):
            for file in sorted((self.root / part).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    yield file.relative_to(self.root), hashlib.sha256(file.read_bytes()).digest()
        yield Path("binning.json"), hashlib.sha256((self.root / "binning.json").read_bytes()).digest()


def _rows(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for file in sorted(folder.glob("*.json")):
        try:
            rows += json.loads(file.read_text("utf-8"))
        except (ValueError, TypeError) as error:
            raise DrycellError(f"{file} is not a JSON list: {error}.") from None
    return rows


def _generate(source: _Source, python: Path, home: Path) -> None:
    project = home / source.project
    for name in ("pattern", "output"):
        (project / name).mkdir(parents=True)
    shutil.copytree(source.root / "definitions", project / "definitions")
    (project / ".lastsettings").touch()
    log = home / "sammy.txt"
    _must([str(python), "-c", _SAMMY, "generate", "all"], log, "sammy generate all", cwd=project)
    folder = project / source.project / source.hardware / source.base
    program = folder / f"{source.program}.py"
    missing = [f for f in (program, *(folder / t / f"{t}.py" for t in source.tests)) if not f.is_file()]
    if missing:
        raise DrycellError(f"sammy generated no {missing[0].name} from {source.root / 'definitions'} (see {log}).")
    for file in sorted((source.root / "do").glob("*.py")):
        if file.stem in source.tests:
            generated = folder / file.stem / file.name
            generated.write_text(splice(generated.read_text("utf-8"), file.read_text("utf-8"), file), "utf-8")
        else:
            shutil.copyfile(file, folder / file.name)
    shutil.copyfile(source.root / "binning.json", folder / f"{source.program}_binning.json")
    _must([str(python), "-m", "compileall", "-q", str(project / source.project)], log, "compiling the program")


def splice(generated: str, body: str, where: Path) -> str:
    """Put the function ``do`` of ``body`` in place of the class's ``do``, and the rest of ``body`` before the class.

    Raises DrycellError if ``body`` is no Python or has no function ``do``.
    """
    try:
        tree = ast.parse(body)
    except SyntaxError as error:
        raise DrycellError(f"{where}, line {error.lineno}: {error.msg}.") from None
    ours = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "do"]
    if not ours:
        raise DrycellError(f"{where} has no function do(self).")
    lines = body.splitlines(keepends=True)
    function = "".join(lines[ours[0].lineno - 1 : ours[0].end_lineno])
    rest = "".join(lines[: ours[0].lineno - 1] + lines[ours[0].end_lineno :]).strip()
    class_ = next(n for n in ast.parse(generated).body if isinstance(n, ast.ClassDef))
    method = next(n for n in class_.body if isinstance(n, ast.FunctionDef) and n.name == "do")
    frame = generated.splitlines(keepends=True)
    before, inside = frame[: class_.lineno - 1], frame[class_.lineno - 1 : method.lineno - 1]
    after = frame[method.end_lineno or len(frame) :]
    return "".join([*before, rest, "\n\n\n", *inside, indent(function, "    ").rstrip(), "\n", *after])


# ---- small things


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    if sys.platform == "win32":
        raise DrycellError("real programs run on Linux and WSL2 only; use rung model here.")
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise DrycellError(
            f"the cache {cache_root()} cannot be written ({error.strerror}); set DRYCELL_CACHE to a folder of yours."
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another drycell that is making the same thing")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
