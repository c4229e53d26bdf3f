"""Write docs/oracles.md: its tables come from the registry and from what each mutant trips."""

import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from drycell.sim.oracles.expectations import markdown

PAGE = Path(__file__).parents[2] / "docs" / "oracles.md"
HEAD = """# Oracles

An oracle is a promise and a pure function that judges a finished run by it. It reads the journal, and the lot's STDF
file where it says so; it never looks into a live cell. Its answer is

- `holds`: its precondition was reached (the sentence says how often) and the promise was kept every time,
- `violated`: one sentence says what happened, where, when and by whose fault, and names the events that prove it,
- `unknown`: its precondition was never reached.

```yaml
expect: [lot completes, one result per device, stdf agrees]
```

Oracles named under `expect` are required: the run is `violated` when one is violated and `unknown` when one is
unknown. All *ambient* oracles are judged in every run as well; a violated one makes the run `violated`, an unknown one
is only listed. The others are judged only when they are named, because the real packages (1.0.17) break them in normal
operation (see the quirks in [protocol.md](protocol.md)).

Some promises are made by one [dialect](protocol.md) only. In a cell of the other they are not judged; one that is
required there is unknown, and says why.

## Rules

- A touchdown begins with the handler's contact and ends before the next one. What a device's result, values, options
  and bins are compared with is always of the same touchdown, so nothing of another device, site or lot passes.
- What programs of dialect specification do in their teardowns is known from what they announce on their log topic
  right before each.
- Deadlines are those of the protocol tables, or of `cell: {timeouts: ...}` in the scenario.
- What the scenario itself does is no broken promise. Where a fault (`fault` event) or one of its effects (`effect`
  event) concerns a site in a touchdown, promises of that site's program about that touchdown are not judged (results,
  records, values, options, peripherals, result deadline), nor is its next exit code. Promises of everybody else still
  are: crashes end in soft error, deadlines are kept, the STDF file is recoverable, nothing is left behind, the cell
  comes back. A fault that waits for its message concerns nobody before it strikes; a result that it delayed or copied
  is not judged where it arrives, and a program that a fault has cut off is not late before it has subscribed again.
  A fault of an instrument or a peripheral excuses no result that disagrees with itself or with what the program was
  told: records, values, bins and options are judged all the same.
- What is heard on a topic after a fault has struck a message there may be its doing, or come once more, or never have
  come. States, options that go out with next, bins after the master's answers and teardowns are not judged by it.
- Who has died owes nothing any more: a master that is restarted need not fall into error for what was before.
- `lot completes` is no promise of a program but what the floor wants: an incomplete lot violates it, whoever caused it.
- A next that the operator sends by hand disturbs the touchdown in which it comes. A message that all sites hear concerns
  all of them when a fault strikes it; one that was held back may come at any later time.
- `the cell comes back` asks for a reset by the operator after the faults are over. Without one, and for a fault that
  never ends (disk full or a slow link for good), it is unknown.
- The STDF file may lack results that are malformed or of another device (the master refuses them), that a fault
  tampered with, or that came while a fault hindered writing (disk full, read-only folder, leftover file); after such a
  fault of the file `stdf agrees` is unknown.

## Limits

- A journal knows launches, exits and connections, no process table: a program that detached itself and closed its
  connection is not seen.
- Trigger pulses of real programs go to their tester and are not in the journal; they are judged for modelled ones.
- `values are of this device` learns from the run which output reports which answer of the meter. An output that is
  computed from several answers is not judged.
- `values fit the true device` and `true failures are failed` compare with the true values of the simulated devices, and
  learn from the run which output measures which of them: a straight line through three quarters of a lot, at least
  four devices more than any line goes through. So a small lot, or one in which most values are wrong, is not judged.
  One value that lies on another device's line proves nothing; several that chance does not explain (1 in a million) do.
  What failing devices follow says nothing of good ones, so those are not judged by it.
- `results are sent once` and the count of a peripheral's answers are judged until the scenario first meddles with
  messages.
- A program that is late by less than 0.25 s is in time, because real programs run on the wall clock.

## All oracles

"""
SENTENCES_HEAD = """
## Sentences

Under `expect` a sentence of one of these forms is an oracle of its own, always required. `<role>` is master, handler,
`control of site N` or `program of site N`; a duration counts from the scenario's first fault, or from the beginning of
the run when it has none.

"""
MUTANTS_HEAD = """
## Mutants

Every oracle is tested by mutants: modelled peers with one defect each, in a modelled cell. This table lists all oracles
that each mutant trips; the first one is the one it was made for. A test keeps it
(`python -m tests.oracles.write_page` writes it).

"""


def oracles_table() -> str:
    """One row per oracle, from the registry."""
    from drycell.sim.oracles import ORACLES

    rows = [
        f"| `{o.name}` | {o.promise} | {o.needs} | {'yes' if o.ambient else 'no'} | {_dialects(o.dialects)} |"
        for o in ORACLES.values()
    ]
    return "\n".join(["| oracle | promise | needs | ambient | dialects |", "|---|---|---|---|---|", *rows])


def _dialects(names: Collection[str]) -> str:
    return "both" if len(names) > 1 else ", ".join(names)


def mutants_table(tripped: Mapping[str, set[str]]) -> str:
    """One row per mutant with everything that it trips."""
    from tests.oracles.mutants import MUTANTS

    rows = []
    for name, mutant in MUTANTS.items():
        others = sorted(tripped[name] - {mutant.trips})
        rows.append(f"| {name} | {mutant.what} | {', '.join(f'`{oracle}`' for oracle in (mutant.trips, *others))} |")
    return "\n".join(["| mutant | defect | trips |", "|---|---|---|", *rows])


def page(tripped: Mapping[str, set[str]]) -> str:
    """The whole page."""
    return (
        HEAD
        + oracles_table()
        + "\n"
        + SENTENCES_HEAD
        + markdown()
        + "\n"
        + MUTANTS_HEAD
        + mutants_table(tripped)
        + "\n"
    )


def main() -> None:
    sys.path.insert(0, str(PAGE.parents[1]))
    from tests.oracles.mutants import MUTANTS
    from tests.oracles.support import fly_mutant

    with tempfile.TemporaryDirectory() as folder:
        found = {name: fly_mutant(name, Path(folder) / str(n)).violated for n, name in enumerate(MUTANTS)}
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
