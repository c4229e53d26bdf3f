"""What reading a scenario costs, next to what its parts cost; and the slowest hostile files. Medians of one run."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from drycell.sim.errors import DrycellError
from drycell.sim.scenario import Scenario, canonical, from_text, identity
from drycell.sim.scenario.tree import parse
from tests.scenario.test_mistakes import HOSTILE, HOSTILE_JSON

DEMO = Path(__file__).resolve().parents[2] / "scenarios" / "demo.yaml"
ROUNDS = 20


def timed(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        action()
        times.append(time.perf_counter() - start_s)
    return median(times) * 1e3


def refused(text: str, as_json: bool) -> float:
    start_s = time.perf_counter()
    try:
        from_text(text, as_json=as_json)
    except DrycellError:
        return time.perf_counter() - start_s
    raise AssertionError("a hostile scenario was accepted")


def main() -> None:
    yaml = DEMO.read_bytes()
    scenario = from_text(yaml)
    text = canonical(scenario)
    plain = json.loads(text)
    rows = {
        "json.loads of the canonical JSON (the least there is)": timed(lambda: json.loads(text)),
        "model: plain values to a validated scenario": timed(lambda: Scenario.model_validate(plain)),
        "canonical JSON to a validated scenario": timed(lambda: from_text(text, as_json=True)),
        "identity of a scenario": timed(lambda: identity(scenario)),
        "demo.yaml to plain values with places": timed(lambda: parse(yaml, name="demo", as_json=False)),
        "demo.yaml to a validated scenario": timed(lambda: from_text(yaml)),
    }
    least = next(iter(rows.values()))
    print(f"{'reading the demo scenario':56} {'ms':>9} {'ratio':>8}")
    for name, value_ms in rows.items():
        print(f"{name:56} {value_ms:9.3f} {value_ms / least:8.1f}")
    hostile = {f"{name} (YAML)": refused(case, False) for name, case in HOSTILE.items()}
    hostile |= {f"{name} (JSON)": refused(case, True) for name, case in HOSTILE_JSON.items()}
    print(f"\n{f'the slowest of {len(hostile)} hostile files':56} {'s':>9}")
    for name, value_s in sorted(hostile.items(), key=lambda row: -row[1])[:5]:
        print(f"{name:56} {value_s:9.3f}")


if __name__ == "__main__":
    main()
