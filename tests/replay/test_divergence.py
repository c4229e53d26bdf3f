"""Two runs that should be equal, and the first place where they are not."""

from drycell.sim.kernel import Journal
from drycell.sim.replay import first_divergence


def journal(path, *events):
    now = [0]
    written = Journal(lambda: now[0], path)
    for at_ns, actor, kind, fields in events:
        now[0] = at_ns
        written.record(kind, actor, **fields)
    written.close()
    return path


READY = (1_000, "master", "state", {"to": "ready"})
IDLE = (2_000, "program0", "says", {"state": "idle"})


def test_equal_journals_have_no_divergence(tmp_path):
    assert first_divergence(journal(tmp_path / "a", READY, IDLE), journal(tmp_path / "b", READY, IDLE)) is None


def test_the_first_differing_event_is_shown_with_both_sides(tmp_path):
    late = (2_001, *IDLE[1:])
    found = first_divergence(journal(tmp_path / "a", READY, IDLE), journal(tmp_path / "b", READY, late))
    assert found.sentences() == (
        "the two runs part at event 2",
        "  first:  0.000002000 s program0 says: state='idle'",
        "  second: 0.000002001 s program0 says: state='idle'",
    )


def test_a_journal_that_ended_earlier_is_said_so(tmp_path):
    found = first_divergence(journal(tmp_path / "a", READY), journal(tmp_path / "b", READY, IDLE))
    assert (found.seq, found.first, found.sentences()[1]) == (2, None, "  first:  the journal ended before")
