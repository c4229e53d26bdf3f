"""The quick way over a STDF file finds what the thorough one finds, and gives up where that is not certain."""

from drycell.sim.oracles.stdf_facts import read_stdf
from tests.oracles.support import fly


def file_of(tmp_path, **changes) -> bytes:
    fly(tmp_path / "run", **changes)
    return next((tmp_path / "run").glob("*.stdf")).read_bytes()


def test_both_ways_find_the_same(tmp_path):
    for number, changes in enumerate(
        [
            {},
            {"cell": {"sites": 4, "handler": {"kind": "prober", "wafer": {"columns": 3, "rows": 3}}}},
            {"timeline": [{"when": {"part": 3}, "do": {"kill": {"site": 0}}}]},
        ]
    ):
        content = file_of(tmp_path / str(number), **changes)
        quick, thorough = read_stdf(content), read_stdf(content, thoroughly=True)
        assert quick == thorough and quick.parts and not quick.gaps
        (tmp_path / f"{number}.stdf").write_bytes(content)
        assert read_stdf(tmp_path / f"{number}.stdf") == quick


def test_a_file_cut_at_any_byte_is_read_as_far_as_it_goes(tmp_path):
    content = file_of(tmp_path, devices={"size": 2})
    whole = read_stdf(content)
    for length in range(0, len(content), 7):
        cut = read_stdf(content[:length])
        assert cut == read_stdf(content[:length], thoroughly=True)
        assert cut.parts == whole.parts[: len(cut.parts)]
        assert cut.gaps or cut.finished == (length == len(content)) or not cut.finished


def test_a_file_with_a_wrong_length_has_a_gap(tmp_path):
    content = bytearray(file_of(tmp_path))
    content[6] += 1  # REC_LEN of the second record
    assert read_stdf(bytes(content)).gaps


def test_a_file_that_is_not_there_is_one_gap(tmp_path):
    facts = read_stdf(tmp_path / "nowhere.stdf")
    assert len(facts.gaps) == 1 and "cannot be read" in facts.gaps[0]
