"""The HTML file: self-contained, small, and safe whatever text a run brings along."""

import base64
import hashlib
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from drycell.sim.cell.result import OracleResult
from drycell.sim.cell.run import run as run_cell
from drycell.sim.errors import DrycellError
from drycell.sim.report import collect, write_report
from drycell.sim.report.again import command
from drycell.sim.report.html import E, document, json_for_script, raw
from drycell.sim.report.timeline import Timeline
from drycell.sim.scenario import load
from tests.report.made import KILL, UNLOAD, MadeUp, first, flown, made_up

HOSTILE = (
    "<script>window.pwned=1</script></script><img src=x onerror=window.pwned=1>"
    "\"'><svg onload=window.pwned=1>&lt;<!--\u2028\u2029\u202e{{7*7}}${1}</style><!-- ]]> &#60;b&#62;"
)
_ALLOWED = {
    *("html", "head", "meta", "title", "style", "script", "body", "header", "nav", "section", "main", "footer"),
    *("article", "div", "span", "p", "h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd", "a", "code", "pre", "i"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "input", "select", "option", "button"),
    *("canvas", "svg", "rect"),
}


class Seen(HTMLParser):
    """What a parser sees: elements, attributes, the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._within = tag
        if tag in ("script", "style"):
            self.scripts.append(({**dict(attrs), "tag": tag}, ""))

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        else:
            self.text += data


def hostile_run(folder: Path) -> MadeUp:
    made = MadeUp(folder, devices=8, name=HOSTILE.replace("\u2028\u2029\u202e", ""), text=HOSTILE)
    made.begin()
    made.touchdown(1)
    made.event("fault", "timeline", fault=HOSTILE, site=HOSTILE)
    made.event("problem", HOSTILE, text=HOSTILE)
    made.event(HOSTILE, "meter", **{HOSTILE: HOSTILE})
    proof = made.state("master", "ready", HOSTILE, message=HOSTILE)
    site = made.run.path / "sites" / "0"
    site.mkdir(parents=True)
    (site / "stdout.txt").write_text(HOSTILE, "utf-8")
    (made.run.path / f"{HOSTILE.replace('/', '_')[:80]}.txt").write_bytes(b"\xff\x00" + HOSTILE.encode())
    made.end(OracleResult("lot completes", "violated", (proof,), HOSTILE, True))
    return made


def test_no_text_of_a_run_becomes_markup(tmp_path: Path) -> None:
    html = write_report(hostile_run(tmp_path / "run").run).read_text("utf-8")
    seen = Seen(html)
    assert set(seen.tags) <= _ALLOWED
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("style", "src", "srcdoc")]
    assert {value[0] for name, value in seen.attributes if name == "href"} == {"#"}
    assert [attributes["tag"] for attributes, _ in seen.scripts] == ["style", "script", "script", "script"]
    data = next(text for attributes, text in seen.scripts if attributes.get("id") == "data")
    assert not set("<>&\u2028\u2029") & set(data)
    assert "window.pwned" in str(orjson.loads(data))
    assert "<img src=x onerror=window.pwned=1>" in seen.text


def test_the_policy_allows_exactly_our_script_and_style(tmp_path: Path) -> None:
    seen = Seen(write_report(hostile_run(tmp_path / "run").run).read_text("utf-8"))
    policy = next(value for name, value in seen.attributes if name == "content" and "script-src" in value)
    hashes = {
        attributes["tag"]: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for attributes, text in seen.scripts
        if "type" not in attributes
    }
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_pages_are_the_same_for_the_same_run(tmp_path: Path) -> None:
    run = flown(tmp_path / "run", timeline=[KILL])
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_hundred_thousand_events_stay_below_two_megabytes(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run", events=100_000)
    collected = collect(run)
    packed = collected.timeline.packed(collected.timeline.lanes())
    assert len(collected.timeline) >= 100_000
    assert len(orjson.dumps(packed)) < 2_000_000
    page = write_report(run)
    assert page.stat().st_size < 2_000_000


def test_text_that_never_repeats_does_not_blow_the_timeline_up(tmp_path: Path) -> None:
    def chatter(made: MadeUp) -> None:
        for number in range(20_000):
            word = (
                hashlib.sha256(str(number).encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
            )
            made.message("testapp.demo.0", "TestApp/log/site0", {"type": "log", "payload": word * 2})

    collected = collect(made_up(tmp_path / "run", events=30_000, prepare=chatter))
    assert len(orjson.dumps(collected.timeline.packed(collected.timeline.lanes()))) < 2_000_000


def test_a_timeline_unpacks_to_what_went_in(tmp_path: Path) -> None:
    collected = collect(flown(tmp_path / "run", timeline=[KILL]))
    rows = list(collected.timeline.rows())
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    fault = next(row for row in rows if row.kind == "fault")
    assert (fault.t_ns, fault.text) == (2_700_000_000, "FAULT kill site 1, signal SIGKILL")
    assert fault.seq == first(collected.run, "fault")
    result = next(row for row in rows if row.text.startswith("result:"))
    assert (result.lane, result.to, result.text) == ("site 0", ("master",), "result: part 1 soft bin 1 hard bin 1")
    command = next(row for row in rows if row.text == "command next to site 0, 1")
    assert command.to == ("site 0", "site 1")
    html = write_report(collected.run).read_text("utf-8")
    bulk = orjson.loads(zlib.decompress(base64.b64decode(re.search(r'id="bulk">([^<]*)<', html)[1])))  # type: ignore[index]
    assert sum(bulk["timeline"]["t"]) * bulk["timeline"]["unit_ns"] == rows[-1].t_ns
    assert len(bulk["parts"]["columns"]["part"]) == 20


def test_a_journal_with_a_hole_is_refused() -> None:
    from drycell.sim.kernel.journal import Event

    timeline = Timeline()
    timeline.add(Event(1, 0, "a", "x", {}), "a", (), "x", state="", marks=0)
    with pytest.raises(DrycellError, match="event 3 stands where event 2 should be"):
        timeline.add(Event(3, 0, "a", "x", {}), "a", (), "x", state="", marks=0)


def test_payloads_are_kept_around_the_evidence_only(tmp_path: Path) -> None:
    collected = collect(flown(tmp_path / "run", timeline=[UNLOAD]))
    (proof,) = collected.evidence
    assert (min(collected.excerpts), max(collected.excerpts)) == (proof - 7, proof + 4)
    assert collected.excerpts[proof]["to"] == "softerror"


def test_the_command_runs_the_same_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drycell.sim.report.again.find_spec", lambda name: None)
    run = flown(tmp_path / "run", seed=11, devices__size=4)
    words = command(collect(run)).split()
    assert words[:3] == ["drycell", "run", f"{tmp_path}/run/scenario.json"]
    overrides = dict(word.split("=", 1) for word in words[4::2])
    again = load(Path(words[2]), overrides)
    run_cell(again, tmp_path / "again")
    events = [path.read_bytes().split(b"\n", 1)[1] for path in (run.journal, tmp_path / "again" / "journal.jsonl")]
    assert events[0] == events[1]  # the headers differ: they name the scenario by its hash, paths and all


def test_the_command_replays_where_that_is_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drycell.sim.report.again.find_spec", lambda name: object())
    made = MadeUp(tmp_path / "a run", devices=2)
    made.journal.close()
    assert command(collect(made.run)) == f"drycell replay '{tmp_path}/a run'"


def test_devices_are_told_with_measured_and_true_values(tmp_path: Path) -> None:
    collected = collect(flown(tmp_path / "run"))
    devices = list(collected.parts.devices.values())
    assert len(devices) == 50
    by_name = {test.name: test for test in collected.parts.tests.values()}
    vout = by_name["vout_1.vmeas"]
    assert (vout.low, vout.high, vout.units) == (3.234, 3.366, "V")
    good = [device for device in devices if not device.failed]
    assert len(good) == 44
    for device in good:
        assert device.true is not None
        assert device.values[vout.number] == pytest.approx(device.true["vout"], abs=0.01)


def test_a_directory_with_nothing_but_a_scenario_has_a_report(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=2)
    made.journal.close()
    made.run.journal.unlink()
    seen = Seen(write_report(made.run).read_text("utf-8"))
    assert "Its journal holds no event: nothing had begun." in seen.text
    assert "The run left no STDF file." in seen.text


def test_a_damaged_journal_is_one_sentence(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=2)
    made.journal.close()
    made.run.journal.write_text("no journal\n")
    with pytest.raises(DrycellError, match="is not a drycell journal"):
        write_report(made.run)


def test_stdf_that_was_not_closed_is_said(tmp_path: Path) -> None:
    (facts,) = collect(flown(tmp_path / "run", timeline=[KILL])).stdf
    assert facts.records["PRR"] == 18
    assert facts.note.startswith("The lot was not closed: there is no MRR.")


def test_html_escapes_what_it_is_given() -> None:
    text = document(E("p", {"title": '"<&>'}, "<b>&", E("i"), "</p>\x00\ud800"))
    assert text == '<!doctype html>\n<p title="&quot;<&amp;&gt;">&lt;b&gt;&amp;<i></i>&lt;/p&gt;\ufffd\ufffd</p>\n'
    with pytest.raises(ValueError, match="would end"):
        raw("script", "x = '</SCRIPT>'")
    assert json_for_script({"a": "</script>&\u2028"}) == '{"a":"\\u003c/script\\u003e\\u0026\\u2028"}'


def test_colours_are_readable_in_light_and_dark() -> None:
    from drycell.sim.report.page import _asset

    light, dark = re.findall(r":root \{(.*?)\}", _asset("report.css"), re.S)[:2]
    for theme in (light, dark):
        colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", theme))
        for name in ("ink", "muted", "accent", "good", "bad", "warn", "fault"):
            for ground in ("card", "paper"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2, section 1.4.3."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_reading_reports_loads_no_cell() -> None:
    script = (
        "import sys, drycell.sim.report; print([n for n in sys.modules if n in ('amqtt', 'drycell.sim.cell.cell')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
