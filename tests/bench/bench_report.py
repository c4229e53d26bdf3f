"""What a report of 100,000 events costs: its size, building it, opening it and scrolling through it in a browser.

The browser's frames are compared with those of an empty page in the same browser, because other work on the machine
delays both.
"""

import re
import tempfile
import time
from pathlib import Path

from drycell.sim.report import write_report
from tests.report.browser import Page, browser
from tests.report.made import made_up

EVENTS = 100_000
FRAMES = 240
_SCROLL = """new Promise((done) => {
  const box = document.getElementById("rows"), times = [], busy = [];
  let before = 0, left = %d;
  new PerformanceObserver((list) => list.getEntries().forEach((e) => busy.push(e.duration)))
    .observe({ entryTypes: ["longtask"] });
  const step = (now) => {
    if (before) times.push(now - before);
    before = now;
    if (box) box.scrollTop = (box.scrollHeight / %d) * (%d - left);
    if (left-- > 0) requestAnimationFrame(step);
    else setTimeout(() => done({ times, busy }), 200);
  };
  requestAnimationFrame(step);
})"""

_LONG = """new Promise((done) => {
  const busy = [];
  new PerformanceObserver((list) => list.getEntries().forEach((e) => busy.push(e.duration)))
    .observe({ type: "longtask", buffered: true });
  setTimeout(() => done(busy), 100);
})"""
_SEARCH = r"""new Promise((done) => {
  const query = document.getElementById("query"), begin = performance.now();
  query.value = "soft bin 11 site 1";
  query.dispatchEvent(new Event("input"));
  const found = () => / of \d+ events/.test(document.getElementById("hits").textContent);
  const look = () => (found() ? done(performance.now() - begin) : setTimeout(look, 5));
  look();
})"""


def frames(page: Page) -> tuple[float, float, int, float]:
    """While scrolling: median and longest frame in ms, tasks over 50 ms, and the page's own work per frame in ms."""
    page.call("Performance.enable")
    before = _work_s(page)
    found = page.run(_SCROLL % (FRAMES, FRAMES, FRAMES))
    times = sorted(found["times"])
    return times[len(times) // 2], times[-1], len(found["busy"]), 1000 * (_work_s(page) - before) / FRAMES


def _work_s(page: Page) -> float:
    metrics = page.call("Performance.getMetrics")["metrics"]
    return float(next(entry["value"] for entry in metrics if entry["name"] == "TaskDuration"))


def first_paint_ms(page: Page) -> float:
    """When the first content was painted, since navigation began."""
    paints = page.run("performance.getEntriesByType('paint').map((e) => [e.name, e.startTime])")
    return float(dict(paints)["first-contentful-paint"])


def timeline_bytes(html: str) -> tuple[int, int]:
    """Bytes of the packed events and devices in the page, and of the whole page."""
    packed = re.search(r'id="bulk">([^<]*)<', html)
    assert packed is not None
    return len(packed[1]), len(html.encode("utf-8"))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = made_up(Path(folder) / "run", events=EVENTS)
        begin, cpu = time.perf_counter(), time.process_time()
        path = write_report(run)
        built_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
        packed, whole = timeline_bytes(path.read_text("utf-8"))
        print(f"events {EVENTS}, journal {run.journal.stat().st_size / 1e6:.1f} MB")
        print(f"built in {built_s:.2f} s ({cpu_s:.2f} s of processor time)")
        print(f"timeline and devices {packed / 1e6:.2f} MB, whole file {whole / 1e6:.2f} MB")
        with browser() as page:
            page.open(path, anchor="#timeline")
            paint = first_paint_ms(page)
            opening = page.run(_LONG)
            report = frames(page)
            for _ in range(8):
                page.run("document.getElementById('zoom-out').click()")
            page.settle()
            small = frames(page)
            begin_ms = page.run(_SEARCH)
            page.run("document.body.replaceChildren()")
            empty = frames(page)
        print(f"first paint after {paint:.0f} ms")
        print(
            f"longest task while opening {max(opening, default=0):.0f} ms; search through all events {begin_ms:.0f} ms"
        )
        print(f"{'':14}{'median frame':>14}{'longest frame':>15}{'tasks > 50 ms':>15}{'work per frame':>16}")
        rows = (("rows of text", report), ("smallest rows", small), ("empty page", empty))
        for name, (median, longest, tasks, work) in rows:
            print(f"{name:14}{median:>11.1f} ms{longest:>12.1f} ms{tasks:>15}{work:>13.2f} ms")


if __name__ == "__main__":
    main()
