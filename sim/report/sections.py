"""The sections of the page that are plain HTML."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from drycell.sim.cell.result import OracleResult
from drycell.sim.report.again import command
from drycell.sim.report.collected import Collected
from drycell.sim.report.html import Child, E
from drycell.sim.report.phrases import clock
from drycell.sim.report.story import Finding, Story

_SIGNS = {"holds": "✓", "violated": "✕", "unknown": "?"}
_MOST_OUTPUT = 200_000
_MOST_UNFOLDED = 12
_LINKS = (
    *(("happened", "What happened"), ("timeline", "Timeline"), ("devices", "Devices"), ("tests", "Tests")),
    *(("stdf", "STDF"), ("output", "Output"), ("environment", "Environment")),
)


def verdict_of(collected: Collected) -> str:
    """``holds``, ``violated`` or ``unknown``; for a run without a verdict how it ended."""
    return collected.state if collected.result is None else collected.result.verdict


def top(collected: Collected, story: Story) -> list[Element]:
    """Verdict, name, headline, and the way around."""
    verdict = verdict_of(collected)
    badge = E("span", {"class": f"badge {verdict}"}, f"{_SIGNS.get(verdict, '✕')} {verdict}")
    links = [E("a", {"href": f"#{anchor}"}, title) for anchor, title in _LINKS]
    return [
        E(
            "header",
            {"class": "top"},
            badge,
            E("h1", None, collected.name),
            E("p", {"class": "sub"}, f"run {collected.run.name}"),
            E("p", {"class": "headline"}, story.headline),
        ),
        E("nav", {"aria-label": "Sections"}, E("div", None, *links)),
    ]


def main(collected: Collected, story: Story) -> list[Element]:
    """All sections, in order."""
    return [
        _happened(collected, story),
        _facts(collected),
        _timeline(collected),
        _devices(collected),
        _tests(collected),
        _stdf(collected),
        _output(collected.run.path),
        _environment(collected),
    ]


def bottom(collected: Collected) -> Element:
    """What made this page."""
    version = collected.environment.get("versions", {}).get("drycell", "?")
    text = f"drycell {version} made this run. All of this page is in this file; nothing is loaded."
    return E("footer", None, E("p", None, text))


def _happened(collected: Collected, story: Story) -> Element:
    children: list[Child] = [_finding(finding) for finding in story.findings]
    if story.remarks:
        children.append(E("ul", None, *(E("li", None, line.text, *_events(line.seqs)) for line in story.remarks)))
    children += [
        E("h3", None, "Run it again"),
        E(
            "div",
            {"class": "command"},
            E("code", {"id": "again"}, command(collected)),
            E("button", {"type": "button", "data-copy": "again", "hidden": ""}, "Copy"),
        ),
    ]
    if collected.result is not None:
        children.append(_promises(collected.result.oracles))
    return _section("happened", "What happened", *children)


def _finding(finding: Finding) -> Element:
    steps = [E("li", None, line.text, *_events(line.seqs)) for line in finding.chain]
    rows: list[Child] = []
    broken = finding.oracle.verdict == "violated"
    for title, line, style in (
        ("What failed" if broken else "What is open", finding.what, "what"),
        ("When", finding.when, "when"),
        ("Whose fault", finding.whose, "whose"),
    ):
        rows += [E("dt", None, title), E("dd", {"class": style}, line.text, *_events(line.seqs))]
    if steps:
        rows += [E("dt", None, "How it came about"), E("dd", None, E("ol", None, *steps))]
    return E("article", {"class": f"finding {finding.oracle.verdict}"}, E("dl", None, *rows))


def _promises(oracles: Iterable[OracleResult]) -> Element:
    rows = []
    for oracle in sorted(oracles, key=lambda oracle: (not oracle.required, oracle.verdict != "violated")):
        style = {"holds": "is-good", "violated": "is-bad"}.get(oracle.verdict, "quiet")
        events = _events(oracle.evidence) if oracle.verdict == "violated" else []
        rows.append(
            E(
                "tr",
                None,
                E("td", {"class": style}, f"{_SIGNS[oracle.verdict]} {oracle.verdict}"),
                E("td", None, oracle.name),
                E("td", {"class": "quiet"}, "required" if oracle.required else "watched"),
                E("td", None, oracle.text, *events),
            )
        )
    unfolded = {"open": ""} if len(rows) <= _MOST_UNFOLDED else {}
    closed = E("summary", None, f"All {len(rows)} promises")
    return E(
        "details",
        {"class": "promises", **unfolded},
        closed,
        _wide(_table(("Verdict", "Promise", "", "Answer"), rows)),
    )


def _facts(collected: Collected) -> Element:
    tally, result, notable = collected.tally, collected.result, collected.notable
    size = collected.scenario.devices.size if collected.scenario is not None else None
    tiles: list[tuple[str, str]] = [
        ("Devices sorted", f"{tally.parts}" + (f" of {size}" if size is not None else "")),
        ("Yield", f"{tally.yield_:.1%}" if tally.parts else "–"),
        ("Touchdowns", str(tally.touchdowns)),
        ("Tested again", str(tally.retested)),
        ("Faults injected", str(sum(1 for _ in notable.of_kind("fault")))),
        ("Simulated time", clock(tally.now_ns)),
        ("Events", f"{len(collected.timeline):,}".replace(",", "\u202f")),
    ]
    if result is not None:
        tiles += [
            ("Real time", f"{result.wall_s:.1f} s"),
            ("Seed", str(result.seed)),
            ("Rung", result.rung),
            ("Pace", result.pace),
        ]
    cells = [E("div", None, E("dt", None, name), E("dd", None, value)) for name, value in tiles]
    return E("section", {"aria-label": "Figures"}, E("dl", {"class": "tiles"}, *cells))


def _timeline(collected: Collected) -> Element:
    kinds = [("all", "all events"), ("marked", "only what stands out")]
    options = [E("option", {"value": value}, text) for value, text in kinds]
    buttons = [
        ("previous-proof", "◂ evidence", "previous evidence (N)"),
        ("next-proof", "evidence ▸", "next evidence (n)"),
        ("zoom-out", "−", "smaller rows (-)"),
        ("zoom-in", "+", "larger rows (+)"),
    ]
    tools = E(
        "div",
        {"class": "tools"},
        E("input", {"id": "query", "type": "search", "placeholder": "Search events", "aria-label": "Search events"}),
        E("select", {"id": "filter", "aria-label": "Which events"}, *options),
        E("span", {"id": "hits", "class": "quiet", "role": "status"}),
        *(E("button", {"type": "button", "id": name, "title": about}, text) for name, text, about in buttons),
    )
    rows = E(
        "div",
        {"id": "rows", "tabindex": "0", "role": "application", "aria-label": "Events, one per row"},
        E("canvas"),
        E("div", {"class": "spacer"}),
    )
    legend = [
        *(("quiet", "at rest"), ("work", "testing"), ("move", "on the way")),
        *(("bad", "soft error, error, crash"), ("fault", "▼ injected fault"), ("other", "activity")),
    ]
    keys = "Keys: ↑ ↓ move, n and N evidence, f and F faults, + and − rows, / search. Ctrl and wheel zoom."
    return _section(
        "timeline",
        "Timeline",
        tools,
        E(
            "div",
            None,
            E("canvas", {"id": "overview", "role": "img", "aria-label": "the whole run over simulated time"}),
        ),
        E("div", {"class": "diagram"}, E("canvas", {"id": "lanes", "aria-hidden": "true"}), rows),
        E(
            "p",
            {"class": "legend"},
            *(E("span", None, E("i", {"class": f"swatch {kind}"}), text) for kind, text in legend),
            E("span", None, "◆ evidence"),
            E("span", None, keys),
            E("span", {"id": "hidden"}),
        ),
        E(
            "div",
            {"id": "event", "aria-live": "polite"},
            E("p", {"class": "quiet"}, "Choose an event to see its fields."),
        ),
    )


def _devices(collected: Collected) -> Element:
    if not collected.parts.devices:
        return _section("devices", "Devices", E("p", {"class": "quiet"}, "No device was in contact."))
    options = [E("option", {"value": value}, f"{value} devices") for value in ("all", "failed")]
    titles = ("Part", "Site", "Touchdown", "Attempts", "Soft bin", "Hard bin", "Result", "Event", "")
    left_out = collected.parts.left_out
    return _section(
        "devices",
        "Devices",
        _bins(collected),
        E("div", {"id": "maps"}),
        E(
            "div",
            {"class": "tools"},
            E("select", {"id": "devices-filter", "aria-label": "Which devices"}, *options),
            E(
                "input",
                {
                    "id": "devices-query",
                    "type": "search",
                    "placeholder": "Part, site or bin",
                    "aria-label": "Search devices",
                },
            ),
        ),
        E("div", {"class": "wide"}, _table(titles, [], {"id": "devices-table"})),
        E("button", {"type": "button", "id": "devices-more", "hidden": ""}),
        E("p", {"class": "quiet"}, f"{left_out} contacts of further devices are not listed.") if left_out else None,
    )


def _bins(collected: Collected) -> Element:
    tally = collected.tally
    names = {} if collected.result is None else collected.result.soft_bin_names
    sites = sorted(tally.sites)
    rows = []
    for row, counts in tally.table().items():
        total = counts.total()
        good = (row.soft_bin is not None and 1 <= row.soft_bin <= 9) or (row.soft_bin is None and row.hard_bin == 1)
        name = "" if row.soft_bin is None else names.get(row.soft_bin, "")
        cells = [_number("–" if row.soft_bin is None else row.soft_bin), _number(row.hard_bin), E("td", None, name)]
        cells += [_number(counts[site]) for site in sites]
        cells += [_number(total), _number(f"{total / tally.parts:.1%}")]
        rows.append(E("tr", None, *cells, E("td", {"class": "bar-cell"}, _share(total / tally.parts, good=good))))
    yields = [tally.yield_of(site) for site in sites]
    last = [E("td"), E("td"), E("th", None, "Yield")]
    last += [_number("–" if share is None else f"{share:.1%}") for share in yields]
    last += [_number(tally.parts), _number(f"{tally.yield_:.1%}" if tally.parts else "–"), E("td")]
    titles = ("#Soft bin", "#Hard bin", "Name", *(f"#Site {site}" for site in sites), "#Devices", "#Share", "")
    return E("div", {"class": "wide"}, _table(titles, [*rows, E("tr", None, *last)]))


def _share(share: float, *, good: bool) -> Element:
    picture = E(
        "svg", {"class": "share", "viewBox": "0 0 100 10", "preserveAspectRatio": "none", "aria-hidden": "true"}
    )
    picture.append(E("rect", {"class": "rest", "x": "0", "y": "3", "width": "100", "height": "4"}))
    style = "good" if good else "bad"
    picture.append(
        E("rect", {"class": style, "x": "0", "y": "1", "width": f"{max(0.6, share * 100):.2f}", "height": "8"})
    )
    return picture


def _tests(collected: Collected) -> Element:
    if not collected.parts.tests:
        return _section("tests", "Tests", E("p", {"class": "quiet"}, "No measured value was reported."))
    about = "Measured values of every device's last attempt; dashed lines are the limits."
    return _section("tests", "Tests", E("p", {"class": "quiet"}, about), E("div", {"id": "parameters"}))


def _stdf(collected: Collected) -> Element:
    if not collected.stdf:
        return _section("stdf", "STDF", E("p", {"class": "quiet"}, "The run left no STDF file."))
    children: list[Child] = []
    for facts in collected.stdf:
        records = ", ".join(f"{count} {name}" for name, count in facts.records.most_common())
        children += [
            E("h3", None, facts.name),
            E("p", None, f"{facts.size} bytes, {sum(facts.records.values())} records: {records}."),
            E("p", {"class": "is-bad" if facts.note else "is-good"}, facts.note or "✓ Whole: it ends with its MRR."),
        ]
    return _section("stdf", "STDF", *children)


def _output(run_dir: Path) -> Element:
    children: list[Child] = []
    for path in sorted([*run_dir.glob("sites/*/*.txt"), *run_dir.glob("*.txt")]):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if not data.strip():
            continue
        cut = len(data) > _MOST_OUTPUT
        text = data[-_MOST_OUTPUT:].decode("utf-8", "replace")
        note = f", its last {_MOST_OUTPUT} bytes" if cut else ""
        title = f"{path.relative_to(run_dir)} ({len(data)} bytes{note})"
        children.append(E("details", None, E("summary", None, title), E("pre", None, text)))
    if not children:
        children.append(
            E(
                "p",
                {"class": "quiet"},
                "No program wrote any output. What programs log is in the timeline.",
            )
        )
    return _section("output", "Program output", *children)


def _environment(collected: Collected) -> Element:
    facts = dict(collected.environment)
    versions = facts.pop("versions", {})
    rows = [(f"version of {name}", value) for name, value in versions.items()]
    rows += list(facts.items())
    if collected.result is not None:
        rows += [("journal SHA-256", collected.result.journal_sha256)]
        rows += [("deterministic", "yes" if collected.result.deterministic else "no")]
    body = [E("tr", None, E("th", None, name), E("td", None, str(value))) for name, value in rows]
    return _section("environment", "Environment", _wide(E("table", None, E("tbody", None, *body))))


def _section(anchor: str, title: str, *children: Child) -> Element:
    return E("section", {"id": anchor, "aria-label": title}, E("h2", None, title), *children)


def _table(titles: Sequence[str], rows: Sequence[Element], attributes: dict[str, str] | None = None) -> Element:
    """A table; a title that begins with # heads a column of numbers."""
    heads = [E("th", {"class": "number"} if title.startswith("#") else None, title.lstrip("#")) for title in titles]
    return E("table", attributes, E("thead", None, E("tr", None, *heads)), E("tbody", None, *rows))


def _wide(table: Element) -> Element:
    """A table that scrolls by itself on a narrow screen."""
    return E("div", {"class": "wide"}, table)


def _number(value: object) -> Element:
    return E("td", {"class": "number"}, str(value))


def _events(seqs: Iterable[int]) -> list[Element]:
    return [E("a", {"class": "ev", "href": f"#e{seq}"}, f"event {seq}") for seq in list(seqs)[:6]]
