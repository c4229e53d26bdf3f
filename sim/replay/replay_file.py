"""The replay file: a run as one zip that anybody can look into and run again. It holds data and no code.

Rules
- ``manifest.json`` names every file with size and SHA-256, the versions that made the run, and which keys of the
  scenario lead to files inside: definitions (their JSON alone), lot file, bench.
- Equal runs are equal bytes but for the verdict's wall time: names are sorted, dates are fixed.
- Reading trusts nothing: names, kinds, number and sizes of files are checked before anything is written, and what is
  written is compared with the manifest. Nothing is executed; a program has to be named by whoever replays.
"""

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from drycell.sim.errors import DrycellError
from drycell.sim.runs.environment import versions
from drycell.sim.runs.store import Run
from drycell.sim.scenario import Scenario, with_overrides

FORMAT = 1
MANIFEST = "manifest.json"
FORMAT_KEY = "drycell_replay"
MOST_FILES = 4096
MOST_BYTES = 4 * 1024**3
MANIFEST_LIMIT_BYTES = 4 * 1024**2
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,7}")
_OF_RUN = ("scenario.json", "scenario.yaml", "scenario.given.json", "journal.jsonl", "verdict.json", "failure.json",
           "stacks.txt", "*.stdf", "sites/**/*")  # fmt: skip
_INPUTS = {"program.definitions": "definitions", "devices.file": "lot.csv", "bench.file": "bench.yml"}
_OF_DEFINITIONS = ("definitions/**/*.json", "measures.json", "binning.json")
_CODE = ("program.path", "program.python")
_DATE = (1980, 1, 1, 0, 0, 0)
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """A replay file that was unpacked. ``inputs``: key of the scenario -> file below the run directory."""

    run: Run
    inputs: Mapping[str, str]

    def scenario(self, own: Mapping[str, Any]) -> Scenario:
        """Its scenario, with the files inside and what its reader says (``own``, dotted keys).

        Raises DrycellError when it would need code or a broker of somebody's choice who is not the reader.
        """
        scenario = self.run.scenario()
        given = {key: _value(scenario, key) for key in (*_INPUTS, *_CODE)}
        if scenario.cell.broker is not None and "cell.broker" not in own:
            raise DrycellError("the replay file names a broker elsewhere; say --set cell.broker=null or name yours")
        if given["program.path"] is not None and "program.path" not in own:
            raise DrycellError("the run was of a program that no replay file holds; name yours with --program")
        if given["program.python"] is not None and "program.python" not in own:
            own = {**own, "program.python": None}
        for key in _INPUTS:
            if given[key] is not None and key not in self.inputs and key not in own:
                raise DrycellError(f"the replay file lacks what {key} names; name yours with --set {key}=PATH")
        changed = with_overrides(scenario.at_home(self.run.path), **{**self.inputs, **own})
        if changed.rung == "process" and not {"program.path", "program.definitions"} & own.keys():
            raise DrycellError("a replay file holds no code; name --program or --definitions, or say --rung model")
        return changed


def pack(run: Run, path: Path) -> None:
    """Write ``run`` as a replay file. Raises DrycellError when it cannot be read or written."""
    scenario = run.scenario()
    files = dict(found for pattern in _OF_RUN for found in _found(run.path, pattern))
    inputs = {key: f"inputs/{name}" for key, name in _INPUTS.items() if _value(scenario, key) is not None}
    for key, name in inputs.items():
        source = scenario.path_of(_value(scenario, key))
        if not source.exists():
            raise DrycellError(f"{source} is missing; the replay file needs what {key} names")
        files |= dict(_of_input(name, source))
    wrong = next((name for name in files if not _NAME.fullmatch(name)), None)
    if wrong is not None:
        raise DrycellError(
            f"{wrong!r} cannot stand in a replay file; its name has other characters than A-Za-z0-9._-"
        )
    try:
        manifest = {FORMAT_KEY: FORMAT, "versions": versions(), "inputs": inputs, "files": _described(files)}
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_info(MANIFEST), json.dumps(manifest, indent=1), zipfile.ZIP_DEFLATED)
            for name in sorted(files):
                with (
                    files[name].open("rb") as source_file,
                    archive.open(_info(name), "w", force_zip64=True) as target,
                ):
                    _copy(source_file, target)
    except FileExistsError:
        raise DrycellError(f"{path} is there already; name another file with -o") from None
    except OSError as error:
        raise DrycellError(f"{path} cannot be written ({error.strerror})") from None


def is_replay_file(path: Path) -> bool:
    """Whether ``path`` is a zip at all."""
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except OSError:
        return False


def unpack(path: Path, root: Path) -> Packed:
    """Put a replay file into a folder below ``root`` that is named after its content; a second time it is there.

    Raises DrycellError, with the reason, for whatever is no replay file of this version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest, entries = _checked(path, archive)
            folder = root / _digest(path)[:16]
            if not (folder / MANIFEST).is_file():
                for name, entry in entries.items():
                    _extract(path, archive, entry, folder / name, manifest["files"][name])
                (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DrycellError(f"{path} is damaged or no zip ({error})") from None
    except OSError as error:
        raise DrycellError(f"{path} cannot be unpacked ({error.strerror})") from None
    return Packed(Run(folder), manifest["inputs"])


def _checked(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, zipfile.ZipInfo]]:
    """Manifest and files, when all is as :func:`pack` writes it."""

    def refuse(why: str) -> DrycellError:
        return DrycellError(f"{path} is no replay file: {why}")

    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(infos) > MOST_FILES:
        raise refuse(f"it holds {len(infos)} files; {MOST_FILES} are allowed")
    if len(set(names)) != len(names):
        raise refuse("a name is there twice")
    if MANIFEST not in names:
        raise refuse(f"it has no {MANIFEST}")
    for info in infos:
        why = _wrong(info)
        if why is not None:
            raise refuse(f"{info.filename[:100]!r} {why}")
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise refuse(f"it would grow beyond {MOST_BYTES >> 30} GiB")
    manifest = _manifest(archive)
    if manifest is None:
        raise refuse(f"{MANIFEST} is not of the agreed form")
    if manifest.get(FORMAT_KEY) != FORMAT:
        raise refuse(f"it has format {manifest.get(FORMAT_KEY)!r}; this drycell reads format {FORMAT} only")
    entries = {info.filename: info for info in infos if info.filename != MANIFEST}
    if entries.keys() != manifest["files"].keys():
        raise refuse("its files are not those that its manifest names")
    if "scenario.json" not in entries or "journal.jsonl" not in entries:
        raise refuse("it holds no run: scenario.json or journal.jsonl is missing")
    for key, name in manifest["inputs"].items():
        if key not in _INPUTS or name != f"inputs/{_INPUTS[key]}":
            raise refuse(f"it gives {str(key)[:50]!r} a file of its own choice")
    return manifest, entries


def _wrong(info: zipfile.ZipInfo) -> str | None:
    """Why a file may not be in a replay file."""
    mode = info.external_attr >> 16
    if not _NAME.fullmatch(info.filename):
        return "is no name that may be in it"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is no plain file"
    if info.filename == MANIFEST and info.file_size > MANIFEST_LIMIT_BYTES:
        return "is too large"
    return None


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any] | None:
    try:
        manifest = json.loads(archive.read(MANIFEST))
        good = (
            isinstance(manifest, dict)
            and isinstance(manifest["files"], dict)
            and isinstance(manifest["inputs"], dict)
            and all(isinstance(facts["sha256"], str) for facts in manifest["files"].values())
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return manifest if good else None


def _extract(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, facts: Mapping[str, Any]
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("wb") as file:
        digest = _copy(source, file)
    if digest != facts["sha256"]:
        raise DrycellError(f"{path} is damaged: {info.filename} is not what the manifest says")


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_PIECE):
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    return {name: {"size": files[name].stat().st_size, "sha256": _digest(files[name])} for name in sorted(files)}


def _of_input(name: str, source: Path) -> Iterator[tuple[str, Path]]:
    """A file under its name in the zip; of a folder, the data of a program's definitions."""
    if source.is_file():
        yield name, source
    for pattern in _OF_DEFINITIONS:
        for inner, path in _found(source, pattern):
            yield f"{name}/{inner}", path


def _found(folder: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


def _value(scenario: Scenario, key: str) -> Any:
    value: Any = scenario
    for name in key.split("."):
        value = getattr(value, name, None)
    return value
