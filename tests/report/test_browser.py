"""The page in a real browser: it opens, draws, moves by keyboard, asks nobody for anything, and runs no foreign script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.report import collect, write_report
from drycell.sim.runs import Run
from tests.report.browser import Page, browser
from tests.report.made import KILL, UNLOAD, MadeUp, first, flown, made_up
from tests.report.test_page import hostile_run

pytestmark = pytest.mark.xdist_group("browser")
SELECTED = "document.querySelector('#event h3')?.textContent ?? ''"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def violated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(flown(tmp_path_factory.mktemp("runs") / "violated", timeline=[UNLOAD]))


def evidence(path: Path) -> int:
    """The event that proves what the page is about."""
    return max(collect(Run(path.parent)).evidence)


def opened(page: Page, path: Path, **how: Any) -> Page:
    """``path``, open and drawn, without an error and without a request but that for the file itself."""
    page.log.clear()
    page.requests.clear()
    page.open(path, **how)
    page.settle()
    assert page.log == []
    assert {url.split("#")[0] for url in page.requests} == {path.resolve().as_uri()}
    assert page.run("document.documentElement.dataset.ready") == "yes"
    return page


def drawn(page: Page, canvas: str) -> int:
    """How many different colours a canvas shows."""
    found = page.run(
        f"""(() => {{ const c = document.querySelector('{canvas}');
        const data = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
        return new Set(data).size; }})()"""
    )
    return int(found)


@pytest.mark.parametrize("dark", [False, True])
def test_a_violated_run_opens_at_its_evidence(page: Page, violated: Path, dark: bool) -> None:
    opened(page, violated, dark=dark)
    assert page.run(SELECTED) == f"Event {evidence(violated)} · 2.700000 s · master · state"
    assert page.run("document.querySelector('.badge').textContent") == "✕ violated"
    assert min(drawn(page, canvas) for canvas in ("#overview", "#lanes", "#rows canvas")) > 5
    assert page.run("document.querySelectorAll('#parameters article').length") == 6
    assert page.run("document.querySelectorAll('#devices-table tbody tr').length") == 4
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 27)" if dark else "rgb(247, 247, 244)")


def test_a_holding_run_opens_and_shows_its_devices(page: Page, tmp_path: Path) -> None:
    prober = {"kind": "prober", "wafer": {"columns": 8, "rows": 8}}
    opened(page, write_report(flown(tmp_path / "run", cell__handler=prober, devices__size=80)))
    assert page.run("document.querySelector('.badge').textContent") == "✓ holds"
    captions = "[...document.querySelectorAll('#maps figcaption')].map((caption) => caption.textContent)"
    assert page.run(captions) == ["Wafer 1", "Wafer 2"]
    assert drawn(page, "canvas.map") > 1
    page.run("document.querySelector('#devices-table tbody button').click()")
    assert "vout_1.vmeas" in page.run("document.querySelector('#devices-table .measured').textContent")
    assert "True value of the device" in page.run("document.querySelector('#devices-table .measured').textContent")


def test_a_run_that_was_killed_opens(page: Page, tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=20)
    made.begin()
    for number in range(1, 6):
        made.touchdown(number)
    made.journal.close()
    with made.run.journal.open("ab") as file:
        file.write(b'{"seq":999,"t_ns":12,"act')
    opened(page, write_report(made.run))
    assert page.run("document.querySelector('.badge').textContent") == "✕ unfinished"


def test_a_hundred_thousand_events_scroll_filter_and_jump(page: Page, tmp_path: Path) -> None:
    path = write_report(made_up(tmp_path / "run", events=100_000))
    opened(page, path, anchor="#e77777")
    assert page.run(SELECTED).startswith("Event 77777 ")
    page.run("document.getElementById('rows').focus()")
    page.key("End")
    page.settle()
    assert "scenario · end" in page.run(SELECTED)
    page.run(
        "const q = document.getElementById('query'); q.value = 'Touchdown 2345:'; q.dispatchEvent(new Event('input'))"
    )
    page.run("new Promise((done) => setTimeout(done, 1500))")
    assert page.run("document.getElementById('hits').textContent") == "1 of 100004 events"


def test_a_run_with_an_open_question_opens(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(flown(tmp_path / "run", timeline=[KILL])))
    assert page.run("document.querySelector('.badge').textContent") == "? unknown"
    assert page.run("document.querySelector('.finding dt').textContent") == "What is open"
    assert page.run(SELECTED).endswith(" · master · state")


def test_keys_move_and_links_jump(page: Page, tmp_path: Path) -> None:
    path = write_report(flown(tmp_path / "run", timeline=[KILL]))
    opened(page, path)
    fault, proof = first(Run(path.parent), "fault"), int(page.run(SELECTED).split()[1])
    page.run("document.getElementById('rows').focus()")
    steps = []
    for key in ("ArrowUp", "f", "n", "j", "Home"):
        page.key(key)
        steps.append(int(page.run(SELECTED).split()[1]))
    assert steps == [proof - 1, fault, proof, proof + 1, 1]
    page.run("document.querySelector('.whose a.ev').click()")
    assert page.run(SELECTED).startswith(f"Event {fault} ")
    assert page.run("location.hash") == f"#e{fault}"
    page.key("/")
    assert page.run("document.activeElement.id") == "query"


def test_an_event_without_its_fields_says_where_they_are(page: Page, violated: Path) -> None:
    opened(page, violated, anchor="#e56")
    assert page.run("document.querySelector('#event code').textContent") == "drycell show violated --event 56"


def test_paper_gets_the_facts_without_the_controls(page: Page, violated: Path) -> None:
    opened(page, violated)
    page.call("Emulation.setEmulatedMedia", media="print")
    hidden = "['nav', '#rows', '.tools'].map((name) => getComputedStyle(document.querySelector(name)).display)"
    assert page.run(hidden) == ["none", "none", "none"]
    assert page.run("getComputedStyle(document.querySelector('.whose')).display") != "none"
    page.call("Emulation.setEmulatedMedia", media="")


def test_no_text_of_a_run_becomes_a_script(page: Page, tmp_path: Path) -> None:
    path = write_report(hostile_run(tmp_path / "run").run)
    opened(page, path, anchor="#e30")
    page.run("document.querySelectorAll('#devices-table button').forEach((button) => button.click())")
    page.run("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    for seq in range(1, page.run("document.querySelectorAll('a.ev').length") + 60):
        page.run(f"location.hash = '#e{seq}'")
    page.settle()
    assert page.run("typeof window.pwned") == "undefined"
    assert page.run("document.querySelectorAll('img, iframe, object, [onload], [onerror]').length") == 0
    assert page.run("document.scripts.length") == 3
    assert "<script>window.pwned=1</script>" in page.run("document.body.innerText")


def test_the_policy_stops_scripts_that_are_not_ours(page: Page, violated: Path) -> None:
    opened(page, violated)
    page.run(
        "const s = document.createElement('script'); s.textContent = 'window.pwned = 1'; document.body.append(s)"
    )
    page.run("const i = document.createElement('img'); i.src = 'file:///etc/hostname'; document.body.append(i)")
    page.settle()
    assert page.run("typeof window.pwned") == "undefined"
    assert page.run("document.querySelector('img').naturalWidth") == 0


def test_many_sites_are_drawn_without_drowning_the_page(page: Page, tmp_path: Path) -> None:
    opened(page, write_report(made_up(tmp_path / "run", events=3000, sites=64)))
    assert "quiet lanes are not drawn" in page.run("document.getElementById('hidden').textContent")
    assert drawn(page, "#rows canvas") > 3
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_narrow_screen_needs_no_sideways_scrolling(page: Page, violated: Path) -> None:
    opened(page, violated, width=400, height=800)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
