// Starts the page: what is drawn at once, what is unpacked afterwards, and how links to events work.
const REPAINT = [];
let timeline = null;

function goToEvent(seq, scroll) {
  if (!timeline || !timeline.events.has(seq)) return;
  timeline.goTo(timeline.events.index(seq));
  if (scroll !== false) byId("timeline").scrollIntoView({ block: "start" });
}

function followHash() {
  const match = /^#e(\d+)$/.exec(location.hash);
  if (match) goToEvent(Number(match[1]));
}

function fillFilter(events) {
  const filter = byId("filter");
  events.lanes.forEach((name, lane) => filter.append(el("option", { value: `lane:${lane}` }, `only ${name}`)));
  events.kinds.forEach((kind) => filter.append(el("option", { value: `kind:${kind}` }, `only events “${kind}”`)));
}

// Runs tasks one after the other whenever the page has nothing better to do, all of them before printing.
function inIdle(tasks) {
  const idle = window.requestIdleCallback || ((act) => setTimeout(act, 1));
  const step = () => {
    const task = tasks.shift();
    if (!task) { document.documentElement.dataset.ready = "yes"; return; }
    task();
    idle(step, { timeout: 200 });
  };
  window.addEventListener("beforeprint", () => { while (tasks.length) tasks.shift()(); });
  idle(step, { timeout: 200 });
}

async function start() {
  readStyle();
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", () => navigator.clipboard.writeText(byId(button.dataset.copy).textContent)
      .then(() => (button.textContent = "Copied")));
  }
  if (typeof DecompressionStream === "undefined") {
    byId("event").textContent = "This browser is too old to draw the timeline; drycell show --events prints it.";
    return;
  }
  const packed = await unpack("bulk");
  const events = new Events(packed.timeline);
  timeline = new TimelineView(events);
  fillFilter(events);
  const hidden = events.lanes.length - timeline.diagram.lanes.length;
  if (hidden) byId("hidden").textContent = `${hidden} quiet lanes are not drawn; the filter shows their events.`;
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#e']");
    const match = link && /^#e(\d+)$/.exec(link.getAttribute("href"));
    if (!match) return;
    event.preventDefault();
    history.replaceState(null, "", match[0]);
    goToEvent(Number(match[1]));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    event.preventDefault();
    byId("query").focus();
  });
  window.addEventListener("hashchange", followHash);
  const devices = new Devices(packed.parts, (seq) => goToEvent(seq));
  const repaint = () => { readStyle(); timeline.redraw(); REPAINT.forEach((draw) => draw()); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  if (location.hash) followHash();
  else if (events.has(DATA.start)) timeline.goTo(events.index(DATA.start));
  inIdle(devices.count ? [
    () => devices.fillTable(byId("devices-table"), byId("devices-more")),
    () => devices.paintMaps(byId("maps")),
    ...(byId("parameters") ? new Parameters(devices).tasks(byId("parameters")) : []),
  ] : []);
}

start().catch((error) => {
  byId("event").textContent = `The timeline cannot be shown: ${error.message}`;
  document.documentElement.dataset.ready = "failed";
});
