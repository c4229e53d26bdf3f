"""Every mistake says where it is, what is wrong and what would be right; nothing hostile gets through or lasts."""

import json
import os
import random
import re
from pathlib import Path

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.scenario import ScenarioError, from_text, load

HEAD = "drycell: 1\nname: x\n"
PLACE = re.compile(r"s\.(yaml|json):\d+:\d+: .+; .+")


def complaint(text: str | bytes, *, as_json: bool = False) -> str:
    with pytest.raises(ScenarioError) as caught:
        from_text(text, name="s.json" if as_json else "s.yaml", as_json=as_json)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("sead: 3", "s.yaml:3:1: unknown key 'sead'; did you mean 'seed'?"),
        ("cell:\n  sitess: 3", "s.yaml:4:3: unknown key 'sitess' in cell; did you mean 'sites'?"),
        ("cell: {handler: {kind: probr}}", "s.yaml:3:24: cell.handler.kind: 'probr' is not known; did you mean"),
        ("cell: {handler: modl}", "s.yaml:3:17: cell.handler: 'modl' is no short form of a handler; write model"),
        ("rung: proces", "s.yaml:3:7: rung: 'proces' is not known; did you mean 'process'?"),
        ("seed: '7'", "s.yaml:3:7: seed: '7' is no whole number; write one without quotes"),
        ("seed: -1", "s.yaml:3:7: seed: -1 is too small; use at least 0"),
        ("seed: 1.5", "s.yaml:3:7: seed: 1.5 is no whole number"),
        ("seed: yes", "s.yaml:3:7: seed: 'yes' is no whole number"),
        ("pace: fast", "s.yaml:3:7: pace: pace 'fast' is unknown; use virtual, real or a factor such as x10"),
        ("epoch: 2026-13-01T00:00:00Z", "s.yaml:3:8: epoch: an instant is needed; write it as 2026-01-01T00:00:00Z"),
        ("epoch: 1931-01-01T00:00:00Z", "s.yaml:3:8: epoch: the instant is outside 1970 to 2105"),
        ("cell: {sites: [0, 1, 0]}", "s.yaml:3:15: cell.sites: 0 is named twice; name it once"),
        ("cell: {sites: 0}", "s.yaml:3:15: cell.sites: 0 sites are impossible; a cell has 1 to 256"),
        ("cell: {sites: []}", "s.yaml:3:15: cell.sites: no site is named; a cell has 1 to 256"),
        ("cell: {sites: [256]}", "s.yaml:3:16: cell.sites[0]: 256 is too large; use at most 255"),
        ("cell: {sites: 2, layout: {0: [0, 0]}}", "s.yaml:3:7: cell: layout places the sites [0], but the cell has"),
        ("cell: {timeouts: {loadin_s: 3}}", "s.yaml:3:19: unknown key 'loadin_s' in cell.timeouts; did you mean"),
        ("cell: {handler: {wafer: {}}}", "s.yaml:3:17: cell.handler: wafer goes with kind prober only"),
        ("devices: {lot: 306426.001}", "s.yaml:3:16: devices.lot: 306426.001 is read as a number"),
        ("devices: {lot: 3, size: 4}", "s.yaml:3:10: devices: lot is a whole number and size is given too"),
        (
            "devices: {defects: 8 percent}",
            "s.yaml:3:20: devices.defects: '8 percent' is no share; write a",
        ),
        ("devices: {defects: 101%}", "s.yaml:3:20: devices.defects: '101%' is too large; use at most 1"),
        ("devices: 20", "s.yaml:3:10: devices: 20 is no mapping; write its keys below it, or in braces"),
        ("limits: {virtual_s: 3 parsecs}", "s.yaml:3:21: limits.virtual_s: '3 parsecs' is no duration; write 90s"),
        ("limits: {virtual_s: 0}", "s.yaml:3:21: limits.virtual_s: 0 is too small; use more than 0"),
        ("instruments: {m: {model: meter}}", "s.yaml:3:18: the key 'variable' is missing in instruments.m; add it"),
        ("expect: lot completes", "s.yaml:3:9: expect: 'lot completes' is no list; write it as [a, b]"),
        ("timeline:\n- {at: 1s, do: {kil: {site: 0}}}", "s.yaml:4:17: unknown key 'kil' in timeline[0].do; did you"),
        ("timeline:\n- {at: 1s, do: {}}", "s.yaml:4:16: timeline[0].do: do takes exactly one of options, operator"),
        ("timeline:\n- {do: {operator: reset}}", "s.yaml:4:3: timeline[0]: a step takes either at or when"),
        ("timeline:\n- {at: 1, when: {part: 1}, do: {operator: reset}}", "s.yaml:4:3: timeline[0]: a step takes"),
        (
            "timeline:\n- {when: {part: 1, touchdown: 2}, do: {operator: reset}}",
            "s.yaml:4:10: timeline[0].when: ",
        ),
        (
            "timeline:\n- {when: {site: 0}, do: {operator: reset}}",
            "s.yaml:4:10: timeline[0].when: when takes",
        ),
        (
            "timeline:\n- {when: {says: testin}, do: {operator: reset}}",
            "s.yaml:4:17: timeline[0].when.says: ",
        ),
        (
            "timeline:\n- {at: 1, do: {operator: resett}}",
            "s.yaml:4:26: timeline[0].do.operator.command: 'resett'",
        ),
        (
            "timeline:\n- {at: 1, do: {operator: {loglevel: 11}}}",
            "s.yaml:4:37: timeline[0].do.operator.loglevel: 11",
        ),
        (
            "timeline:\n- {at: 1, do: {kill: {site: 9}}}",
            "s.yaml:4:29: timeline[0].do.kill.site: the cell has no site 9; it has [0]",
        ),
        (
            "timeline:\n- {at: 1, do: {kill: {site: 0, signal: SIGKIL}}}",
            "s.yaml:4:40: timeline[0].do.kill.signal: ",
        ),
        ("seed: 3\nseed: 4", "s.yaml:4:1: the key 'seed' stands here twice, first in line 3; keep one"),
        ("name: [", "s.yaml:3:1: the key 'name' stands here twice, first in line 2; keep one"),
        ("cell: {a: [}", "s.yaml:3:12: not YAML: "),
        ("\tseed: 3", "s.yaml:3:1: not YAML: "),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_suggestion(body: str, line: str) -> None:
    first = complaint(f"{HEAD}{body}\n").splitlines()[0]
    assert first.startswith(line)
    assert PLACE.fullmatch(first), first


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    lines = complaint(f"{HEAD}sead: 1\ncell: {{sites: no}}\nrung: x\n").splitlines()
    assert [line.split(":")[1] for line in lines] == ["3", "4", "5"]


def test_what_must_be_there_is_asked_for() -> None:
    assert complaint("name: x\n") == ("s.yaml:1:1: the key 'drycell' is missing; add it (Version of this format)")
    assert complaint("drycell: 2\nname: x\n").startswith("s.yaml:1:10: format version 2 is not known; this")
    assert complaint("").startswith("s.yaml:1:1: nothing in here; a scenario begins with 'drycell: 1'")
    assert complaint("- 1").startswith("s.yaml:1:1: no mapping in here; a scenario begins with")


HOSTILE = {
    "a tag": f"{HEAD}seed: !!int 3",
    "a tag that makes an object": f"{HEAD}seed: !!python/object/apply:os.system ['true']",
    "an alias bomb": HEAD + "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]",
    "an anchor": f"{HEAD}seed: &s 3",
    "a merge key": f"{HEAD}devices:\n  <<: {{size: 3}}",
    "a huge number": f"{HEAD}seed: {'9' * 4000}",
    "a huge exponent": f"{HEAD}limits: {{virtual_s: 1e999}}",
    "a number that is none": f"{HEAD}limits: {{virtual_s: .nan}}",
    "a deep nesting": f"{HEAD}cell: {'[' * 3000}",
    "a deep nesting over many lines": HEAD + "cell:\n" + "[\n" * 100_000,
    "a deep block nesting": HEAD + "cell: \n" + "- " * 2000,
    "a key with NUL": f'{HEAD}"a\\0b": 1',
    "a name with NUL": 'drycell: 1\nname: "a\\0b"',
    "a raw NUL": HEAD + "seed: \0",
    "half a pair of surrogates": 'drycell: 1\nname: "\\ud800"',
    "a long line": f"{HEAD}name2: {'x' * 100_000}",
    "a file of one megabyte": f"{HEAD}#" + "x\n#" * 350_000,
    "a quarter of a megabyte of text": f'{HEAD}name2: "' + ("x " * 1000 + "\n ") * 120 + '"',
    "too many values": HEAD + "expect:\n" + "- x\n" * 60_000,
    "two documents": f"{HEAD}---\n{HEAD}",
    "a list as a key": f"{HEAD}? [1]\n: 2",
    "a null key": f"{HEAD}~: 2",
    "a key that is twice there as number and text": f"{HEAD}cell: {{layout: {{0: [0, 0], '0': [0, 1]}}}}",
}
HOSTILE_JSON = {
    "NaN": '{"drycell": 1, "name": "x", "seed": NaN}',
    "a key twice": '{"drycell": 1, "name": "x",\n "seed": 1, "seed": 2}',
    "deep nesting": '{"drycell": 1, "name": "x", "seed": ' + "[" * 100_000,
    "closed deep nesting": '{"drycell": 1, "seed": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a huge number": '{"drycell": 1, "name": "x", "seed": ' + "9" * 900_000 + "}",
    "NUL": '{"drycell": 1, "name": "x\\u0000"}',
    "half a pair of surrogates": '{"drycell": 1, "name": "\\udc00"}',
    "a trailing comma": '{"drycell": 1,}',
    "a megabyte and more": '{"drycell": 1, "name": "' + "x" * 1_100_000 + '"}',
    "many values": '{"drycell": 1, "expect": [' + "1," * 400_000 + "1]}",
    "nothing": "",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_yaml_is_refused_with_its_place(what: str) -> None:
    for line in complaint(HOSTILE[what]).splitlines():
        assert PLACE.fullmatch(line), line


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", HOSTILE_JSON)
def test_hostile_json_is_refused_with_its_place(what: str) -> None:
    for line in complaint(HOSTILE_JSON[what], as_json=True).splitlines():
        assert PLACE.fullmatch(line), line


def test_bytes_that_are_no_text_are_refused_with_their_place() -> None:
    assert complaint(b"drycell: 1\nname: \xff\n").startswith("s.yaml:2:7: not UTF-8 text; save the file as UTF-8")


def test_yaml_1_2_has_no_surprising_words() -> None:
    scenario = from_text(f"{HEAD}expect: [on, yes, 12:30:00, 2026-01-01, 0777x]\nseed: 010\n")
    assert scenario.expect == ("on", "yes", "12:30:00", "2026-01-01", "0777x")
    assert scenario.seed == 10


@pytest.mark.parametrize("name", ["missing.yaml", "folder.yaml", "s.txt", "a\0b.yaml", "pipe.yaml"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(DrycellError) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name.partition("\0")[0] in str(caught.value)


def test_json_and_yaml_files_name_the_same_place(tmp_path: Path) -> None:
    data = {"drycell": 1, "name": "x", "cell": {"sites": [0], "device_idd": "d"}}
    for name in ("s.json", "s.yaml"):
        (tmp_path / name).write_text(json.dumps(data, indent=2))
        with pytest.raises(ScenarioError) as caught:
            load(tmp_path / name)
        assert caught.value.mistakes[0].at == (8, 5)


SEEDS = [HEAD + "cell: {sites: 2, handler: {kind: prober}}\ndevices: {lot: 20, defects: 8%}\n"]


@pytest.mark.parametrize("seed", range(200))
def test_a_mutated_scenario_is_understood_or_refused_but_never_a_traceback(seed: int) -> None:
    rng = random.Random(seed)
    text = list(SEEDS[0])
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(text))
        text[place : place + rng.randint(0, 3)] = rng.choice([*"{}[]:,&*!|>%@`'\"#-?\t\n\0 ~0", "é", "<<: "])
    try:
        from_text("".join(text), name="s.yaml")
    except ScenarioError as error:
        for line in str(error).splitlines():
            assert PLACE.fullmatch(line), line
