"""YAML, canonical JSON and the value in Python say the same, whatever the texts in it look like."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.sim.scenario import canonical, from_data, from_text
from drycell.sim.scenario.files import pretty

SURPRISING = ["yes", "on", "~", "null", "1_000", "0x1F", "0o17", "1e3", ".5", "12:30:00", "2026-01-01", "- a", "a: b"]
SURPRISING += [
    "#x",
    "*a",
    "&a",
    "!t",
    "'",
    '"',
    "a\nb",
    " a ",
    "\t",
    "%",
    "@",
    "é",
    "\u2028",
    "\U0001f600",
    "{",
    "[0]",
]
TEXTS = st.sampled_from(SURPRISING) | st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SCENARIOS = st.fixed_dictionaries(
    {"drycell": st.just(1), "name": TEXTS},
    optional={
        "seed": st.integers(0, 2**64 - 1),
        "expect": st.lists(TEXTS, unique=True, max_size=4),
        "cell": st.fixed_dictionaries(
            {
                "sites": st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True),
                "peripherals": st.fixed_dictionaries({"P": st.fixed_dictionaries({"answer": JSON})}),
            }
        ),
        "devices": st.fixed_dictionaries({"spread": st.dictionaries(TEXTS, st.floats(0, 1), max_size=3)}),
        "limits": st.fixed_dictionaries({"virtual_s": st.floats(1e-9, 1e6)}),
    },
)


@settings(max_examples=60, deadline=None)
@given(SCENARIOS)
def test_nothing_is_lost_between_yaml_json_and_python(data: dict[str, Any]) -> None:
    scenario = from_data(data)
    text = canonical(scenario)
    assert canonical(from_text(text, as_json=True)) == text
    assert canonical(from_text(pretty(scenario))) == text
