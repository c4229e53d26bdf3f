"""Shipped scenarios with mistakes in them, and hostile timelines: understood or refused in good time, always in words."""

import random
import re
import time
from pathlib import Path

import pytest

from drycell.sim.scenario import ScenarioError, canonical, from_text

ROOT = Path(__file__).parents[2] / "scenarios"
TEXTS = [path.read_text("utf-8") for path in sorted(ROOT.rglob("*.yaml"))]
PLACE = re.compile(r"s\.(yaml|json):\d+:\d+: .+; .+")
HEAD = "drycell: 1\nname: x\n"
LIMIT_S = 1.0
WORDS = [
    *("null", "~", "true", "-1", "1e400", "0x10", "'7'", "99999999999999999999999", "2026-01-01", "NaN", ".inf", "!!int 3"),
    *("[]", "{}", "[[[[]]]]", "{a: {b: {c: 1}}}", "&a x", "*a", "'\\0'", '"\\ud800"', "x" * 300, "10 parsecs", "-5s", "120%"),
    *("testing", "SIGKIL", "proces", "../../etc/passwd", "ate/#", "{site: 0}", "{delay: {delay: {}}}", "é", "\t", "<<: {}"),
]  # fmt: skip
TOKEN = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?[a-z%]*")


def mutated(seed: int) -> str:
    """A shipped scenario with one to three mistakes of the kinds that hands and merges make."""
    rng = random.Random(seed)
    text = rng.choice(TEXTS)
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        body = [n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")]
        if not body:
            break
        number = rng.choice(body)
        line = lines[number]
        tokens = list(TOKEN.finditer(line))
        token = rng.choice(tokens) if tokens else None
        match rng.randrange(8):
            case 0 if token:  # a slip of the finger in a word
                at = rng.randrange(token.start(), token.end())
                lines[number] = line[:at] + line[at + 1 :]
            case 1 if token:
                at = rng.randrange(token.start(), token.end())
                lines[number] = line[:at] + rng.choice("aeiou_-.:x9") + line[at:]
            case 2 if token:  # another word
                lines[number] = line[: token.start()] + rng.choice(WORDS) + line[token.end() :]
            case 3:
                del lines[number]
            case 4:
                lines.insert(number, line)
            case 5:
                lines[number] = " " * rng.choice((1, 3, 7)) + line
            case 6:
                lines[number] = re.sub(r"[{}\[\],:]", lambda m: rng.choice(["", m[0], m[0] * 2]), line)
            case _:  # lines of another scenario
                lines.insert(number, rng.choice(rng.choice(TEXTS).split("\n")))
        text = "\n".join(lines)
    return text


def refused_or_understood(text: str, *, as_json: bool = False) -> bool:
    """Whether it is refused; every complaint has a place, a cause and a suggestion, within a second of computing."""
    begin_s = time.process_time()
    try:
        canonical(from_text(text, name="s.json" if as_json else "s.yaml", as_json=as_json))
        refused = False
    except ScenarioError as error:
        refused = True
        for line in str(error).splitlines():
            assert PLACE.fullmatch(line) or re.fullmatch(r"\.\.\. and \d+ more mistakes", line), line
    assert time.process_time() - begin_s < LIMIT_S
    return refused


@pytest.mark.timeout(120)
def test_two_hundred_mutated_scenarios_are_refused_with_place_cause_and_suggestion():
    refused = sum(refused_or_understood(mutated(seed)) for seed in range(400))
    assert refused >= 200


HOSTILE = {
    "a name of a Python class as fault": "{at: 1, do: {__class__: 1}}",
    "a dunder as fault": "{at: 1, do: {__init__: {site: 0}}}",
    "a method as fault": "{at: 1, do: {model_validate: {}}}",
    "the fault property": "{at: 1, do: {fault: {site: 0}}}",
    "faults within faults": "{at: 1, do: {delay: {delay: {delay: {delay: status}}}}}",
    "a fault with a list": "{at: 1, do: {freeze: [0, 1]}}",
    "a fault with NUL in its name": '{at: 1, do: {"free\\0ze": 0}}',
    "a huge count": "{every: 1ns, count: 999999999999, do: {segfault: 0}}",
    "a rhythm of nothing": "{every: 0, count: 3, do: {segfault: 0}}",
    "a negative instant": "{at: -1, do: {segfault: 0}}",
    "an instant beyond everything": "{at: 1e300, do: {segfault: 0}}",
    "a delay that is no number": "{at: 1, do: {delay: status, by: .nan}}",
    "a site that is no number": "{at: 1, do: {segfault: zero}}",
    "a site that is a fraction": "{at: 1, do: {segfault: 0.0}}",
    "no do": "{at: 1}",
    "no trigger": "{do: {segfault: 0}}",
    "do without anything": "{at: 1, do: }",
    "a text as step": "segfault",
    "a tag in a step": "{at: 1, do: !fault {segfault: 0}}",
    "an oversized payload": "{at: 1, do: {oversized: status, bytes: 99999999999}}",
    "a peripheral with wildcards": '{at: 1, do: {peripheral_silent: "#"}}',
    "a wrong answer of a megabyte": '{at: 1, do: {wrong_answer: {answer: "' + "x" * 4000 + '"}}, name: "' + "y" * 300 + '"}',
    "two verbs": "{at: 1, do: {segfault: 0, freeze: 0}}",
}  # fmt: skip


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_step_is_refused_in_words(what):
    assert refused_or_understood(f"{HEAD}timeline:\n- {HOSTILE[what]}\n")


@pytest.mark.timeout(60)
def test_long_timelines_are_read_and_their_mistakes_are_found():
    assert len(from_text(f"{HEAD}timeline:\n" + "- {at: 1, do: {segfault: 0}}\n" * 2000).timeline) == 2000
    chain = "".join(f"- {{name: s{n}, after: s{n + 1}, do: {{segfault: 0}}}}\n" for n in range(500))
    assert refused_or_understood(f"{HEAD}timeline:\n{chain}")
