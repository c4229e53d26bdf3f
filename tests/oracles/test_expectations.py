"""The vocabulary of ``expect``: sentences that anybody on the floor can read, and what they come to."""

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Event
from drycell.sim.oracles import check_names, judge
from drycell.sim.oracles.expectations import FORMS, compiled
from drycell.sim.oracles.facts import Facts

TOPICS = {"master": "ate/demo/Master/status", "program": "ate/demo/TestApp/status/site1"}


def said(seq, at_s, who, state):
    fields = {"topic": TOPICS[who], "qos": 2, "retain": False, "payload": f'{{"state": "{state}"}}'}
    return Event(seq, round(at_s * 1e9), who, "message", fields)


def sorted_(seq, device):
    return Event(
        seq,
        seq,
        "handler",
        "sorted",
        {"lot": "l", "site": "0", "device": device, "part": str(device), "hard_bin": 1, "attempt": 1},
    )


FAULT = Event(2, 10_000_000_000, "timeline", "fault", {"fault": "kill", "site": "1"})
RUN = [
    said(1, 1, "master", "ready"),
    FAULT,
    said(3, 40, "program", "error"),
    said(4, 40.5, "master", "softerror"),
    sorted_(5, 1),
    sorted_(6, 2),
]


def verdict(sentence, events=RUN):
    results = judge(Facts(events, "demo", "handler", 4), [sentence])
    return next(result for result in results if result.name == sentence)


@pytest.mark.parametrize(
    ("sentence", "expected", "text"),
    [
        ("master reaches softerror", "holds", "30.5 s after the first fault"),
        ("master reaches softerror within 31s", "holds", "30.5 s"),
        ("master reaches softerror within 30.5s", "holds", "30.5 s"),
        ("the master reaches softerror within 30s", "violated", "later than 30 s"),
        ("master reaches ready", "violated", "never announced ready after the first fault"),
        ("program of site 1 reaches error within 1min", "holds", "30 s"),
        ("program 0 reaches error", "violated", "never announced error"),
        ("master never reaches softerror", "violated", "at 40.500 s (event 4)"),
        ("handler never reaches error", "holds", "never announced error"),
        ("at least 2 devices are sorted", "holds", "2 devices"),
        ("at most 1 devices are sorted", "violated", "2 devices"),
        ("yield is at least 80 %", "unknown", "no device was tested"),
    ],
)
def test_a_sentence_is_judged_from_the_journal(sentence, expected, text):
    result = verdict(sentence)
    assert (result.verdict, result.required) == (expected, True)
    assert text in result.text


def test_without_a_fault_durations_count_from_the_beginning():
    events = [said(1, 5, "master", "ready")]
    assert verdict("master reaches ready within 5s", events).verdict == "holds"
    assert verdict("master reaches ready within 4.999s", events).verdict == "violated"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.example)
def test_every_example_is_of_its_own_form(form):
    assert form.pattern.fullmatch(form.example)
    check_names([form.example])


@pytest.mark.parametrize(
    "nonsense",
    ["master reaches nirvana", "dog reaches idle", "master reaches ready within 3 moons", "lot compleats", ""],
)
def test_what_is_no_sentence_is_refused_with_a_suggestion(nonsense):
    assert compiled(nonsense) is None
    with pytest.raises(DrycellError, match=r"neither an oracle nor a sentence; (did you mean|known are)"):
        check_names([nonsense])
