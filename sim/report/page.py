"""The page: what stands in the HTML file itself, readable without JavaScript, and what its scripts are given.

Rules
- Verdict, story, bins, output and environment are plain HTML. Diagram, maps, charts and the list of devices are drawn
  by scripts from embedded data.
- Nothing is loaded from anywhere: the content security policy allows our own inlined scripts and styles, by their
  hashes, and nothing else.
"""

import base64
import hashlib
import zlib
from importlib.resources import files
from xml.etree.ElementTree import Element

import orjson

from drycell.sim.report import sections
from drycell.sim.report.collected import Collected
from drycell.sim.report.html import E, document, json_for_script, raw
from drycell.sim.report.lanes import STDF
from drycell.sim.report.parts import packed as packed_parts
from drycell.sim.report.story import Story, tell

SCRIPTS = (
    *("core.js", "events.js", "overview.js", "lamport.js"),
    *("timeline.js", "devices.js", "parameters.js", "main.js"),
)
_ASSETS = files("drycell.sim.report") / "assets"


def page(collected: Collected) -> str:
    """The whole HTML file."""
    story = tell(collected)
    style = _asset("report.css")
    script = '(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS) + "})();\n"
    head = E(
        "head",
        None,
        E("meta", {"charset": "utf-8"}),
        E("meta", {"http-equiv": "Content-Security-Policy", "content": _policy(script, style)}),
        E("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        E("meta", {"name": "referrer", "content": "no-referrer"}),
        E("title", None, f"{collected.name}: {sections.verdict_of(collected)} · drycell"),
        raw("style", style),
    )
    body = E(
        "body",
        None,
        *sections.top(collected, story),
        E("main", None, *sections.main(collected, story)),
        sections.bottom(collected),
        raw("script", json_for_script(_data(collected, story)), {"type": "application/json", "id": "data"}),
        raw("script", _bulk(collected), {"type": "application/octet-stream", "id": "bulk"}),
        raw("script", script),
    )
    return document(_with(E("html", {"lang": "en"}), head, body))


def _with(parent: Element, *children: Element) -> Element:
    parent.extend(children)
    return parent


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    def source(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
        return f"'sha256-{digest}'"

    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(collected: Collected, story: Story) -> dict[str, object]:
    """What scripts need at once. ``start``: the event at which the timeline opens, 0 for the beginning."""
    proofs = [finding.what.seqs for finding in story.findings]
    return {
        "run": collected.run.name,
        "evidence": sorted({*collected.evidence, *(seq for seqs in proofs for seq in seqs)}),
        "start": proofs[0][-1] if proofs and proofs[0] else 0,
        "excerpts": {str(seq): fields for seq, fields in collected.excerpts.items()},
    }


def _bulk(collected: Collected) -> str:
    """Events and devices, deflated, in Base64."""
    lanes = collected.timeline.lanes((STDF,) if collected.stdf else ())
    data = {"timeline": collected.timeline.packed(lanes), "parts": packed_parts(collected.parts)}
    return base64.b64encode(zlib.compress(orjson.dumps(data), 6)).decode("ascii")
