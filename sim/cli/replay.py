"""``drycell replay``: run again what was recorded, and compare client by client."""

import argparse
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from drycell.sim.cli.importing import choices
from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.progress import watching
from drycell.sim.cli.run import VIOLATED, overrides
from drycell.sim.cli.runner import Runner, simulated_cell
from drycell.sim.cli.source import Source, run_of
from drycell.sim.errors import DrycellError
from drycell.sim.replay.alignment import Alignment, Said, align, spoken
from drycell.sim.replay.bringing import bring
from drycell.sim.replay.importing import open_recording
from drycell.sim.replay.recording import Recording
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, load
from drycell.sim.suggest import did_you_mean

IMPORTED = Path(".drycell") / "imported"


def replay(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell replay``; 0 when every client says the same, 1 where they part."""
    source = run_of(arguments.file)
    scenario, given, recording = _of_recording(arguments) if source is None else _of_run(source, arguments)
    runner = arguments.runner or simulated_cell()
    made = RunStore().new(scenario, given, out=arguments.out)
    again = _fly(runner, scenario, made)
    topics = scenario.cell.protocol.topics(scenario.cell.device_id, scenario.cell.handler.id)
    logs = scenario.rung != "model"
    recorded = spoken(recording, topics, until=arguments.until, logs=logs)
    replayed = spoken(again, topics, logs=logs)
    clients = _clients(arguments.clients or ("all" if source else "programs"), recorded, replayed)
    alignment = align(recorded, replayed, clients, whole=None if arguments.until is None else False)
    _tell(alignment, made, as_json=arguments.json)
    return 0 if alignment.equal else VIOLATED


def _of_run(source: Source, arguments: argparse.Namespace) -> tuple[Scenario, Path | None, Recording]:
    """Of a run: its own scenario with what the options say, or the one that is named."""
    if source.run is None:
        raise UsageError(f"{arguments.file} is a journal alone; name its run directory")
    given, changes = arguments.scenario, _changes(arguments)
    scenario = source.scenario(changes) if given is None else load(given, changes)
    return scenario, given, open_recording(source.journal)


def _of_recording(arguments: argparse.Namespace) -> tuple[Scenario, Path, Recording]:
    """Of a recording: the scenario that was imported before and is named, or an import on the fly."""
    path = arguments.scenario
    if path is None:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", arguments.file.name.partition(".")[0]) or "recording"
        path = IMPORTED / f"{name}.yaml"
        staged = bring([arguments.file, *arguments.more], path, **choices(arguments, path.parent))
        for note in staged.notes:
            talk(f"note: {note}")
        talk(f"imported as {path}; edit it and replay with --scenario {path}")
    return load(path, _changes(arguments)), path, open_recording(arguments.file, arguments.as_)


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the options change of a scenario; their paths are from where the user stands."""
    whole = {key: str(Path(text).absolute()) for key in ("program", "python") if (text := vars(arguments)[key])}
    named = argparse.Namespace(scenario=None, rung=arguments.rung, set=arguments.set, **whole)
    changes = overrides(named)
    if arguments.definitions is not None and arguments.program is None:
        changes["program.definitions"] = str(arguments.definitions.absolute())
    return changes


def _fly(runner: Runner, scenario: Scenario, made: Run) -> Recording:
    try:
        with watching(scenario) as progress:
            made.finish(runner(scenario, made.path, observer=progress.take, say=talk))
    except DrycellError as error:
        made.fail(str(error))
        raise
    return open_recording(made.journal)


def _clients(
    text: str, recorded: Mapping[str, Collection[Said]], replayed: Mapping[str, Collection[Said]]
) -> list[str]:
    known = list(dict.fromkeys((*recorded, *replayed)))
    groups = {"all": known, "programs": [client for client in known if client.startswith("program")]}
    chosen: list[str] = []
    for word in text.split(","):
        if word not in groups and word not in known:
            raise UsageError(
                f"--clients {word!r}: nobody of that name spoke; {did_you_mean(word, [*groups, *known])}"
            )
        chosen += groups.get(word, [word])
    return list(dict.fromkeys(chosen))


def _tell(alignment: Alignment, made: Run, *, as_json: bool) -> None:
    if as_json:
        print_json(_record(alignment, made))
        return
    compared = ", ".join(f"{client} {count}" for client, count in alignment.counts.items())
    for parting in alignment.partings[:1]:
        print_text("\n".join(parting.sentences()))
    others = ", ".join(parting.client for parting in alignment.partings[1:])
    if others:
        print_text(f"later, these part too: {others}")
    if alignment.tolerated:
        print_text(f"{alignment.tolerated} messages stand in gaps of the recording")
    print_text(f"{'equal' if alignment.equal else 'compared'}: messages of {compared}")
    print_text(f"run directory: {made.path}")


def _record(alignment: Alignment, made: Run) -> dict[str, Any]:
    def side(said: Said | None) -> dict[str, Any] | None:
        return (
            None
            if said is None
            else {"entry": said.number, "t_ns": said.t_ns, "topic": said.topic, "text": said.text}
        )

    return {
        "equal": alignment.equal,
        "messages": dict(alignment.counts),
        "tolerated": alignment.tolerated,
        "partings": [
            {"client": parting.client, "recorded": side(parting.recorded), "replayed": side(parting.replayed)}
            for parting in alignment.partings
        ],
        "run_dir": str(made.path),
    }
