"""A run is recorded, what was recorded is imported, that is run, and both are compared client by client."""

from drycell.sim.cell.run import run
from drycell.sim.replay import open_recording
from drycell.sim.replay.alignment import align, spoken
from drycell.sim.replay.bringing import bring
from drycell.sim.replay.stored import store
from drycell.sim.scenario import load


def same_again(scenario, folder):
    """The alignment of ``scenario`` with its replay, which knows nothing but the recording."""
    first = run(scenario, folder / "first")
    recorded = folder / "kept.recording.jsonl"
    store(open_recording(first.run_dir), recorded)
    definitions, program = (
        None if text is None else scenario.path_of(text)
        for text in (scenario.program.definitions, scenario.program.path)
    )
    path = None if program is None else str(program)
    bring([recorded], folder / "again.yaml", definitions=definitions, program=path, rung=scenario.rung)
    run(load(folder / "again.yaml"), folder / "second")
    topics = scenario.cell.protocol.topics(scenario.cell.device_id, scenario.cell.handler.id)
    left, right = (spoken(open_recording(path), topics) for path in (recorded, folder / "second"))
    return align(left, right, sorted({*left, *right}))
