// Puts overview, diagram, search, filters, keyboard and the panel of the selected event together.
class TimelineView {
  constructor(events) {
    this.events = events;
    this.head = byId("lanes");
    this.overview = new Overview(events, byId("overview"), (ns) => this.goToTime(ns));
    this.diagram = new Lamport(events, byId("rows"), (index, chosen, first, last) => this.moved(index, chosen, first, last));
    this.stops = DATA.evidence.filter((seq) => events.has(seq)).map((seq) => events.index(seq));
    this.faults = events.marked.filter((index) => events.of(index).marks & FAULT);
    this.query = byId("query");
    this.filter = byId("filter");
    this.listen();
    this.redraw();
  }

  listen() {
    const later = (act) => {
      let timer = 0;
      return () => { clearTimeout(timer); timer = setTimeout(act, 120); };
    };
    this.query.addEventListener("input", later(() => this.search()));
    this.query.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.next(this.hits || [], event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { this.query.value = ""; this.search(); byId("rows").focus(); }
      event.stopPropagation();
    });
    this.filter.addEventListener("change", () => this.search());
    byId("zoom-in").addEventListener("click", () => this.diagram.zoom(1));
    byId("zoom-out").addEventListener("click", () => this.diagram.zoom(-1));
    byId("next-proof").addEventListener("click", () => this.next(this.proofs(), 1));
    byId("previous-proof").addEventListener("click", () => this.next(this.proofs(), -1));
    byId("rows").addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("resize", () => this.redraw());
  }

  proofs() { return this.stops.length ? this.stops : this.events.marked; }

  redraw() {
    this.overview.repaint();
    this.diagram.resize();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.floor(byId("rows").clientHeight / this.diagram.height) - 1;
    const acts = {
      ArrowDown: () => this.diagram.move(1), j: () => this.diagram.move(1),
      ArrowUp: () => this.diagram.move(-1), k: () => this.diagram.move(-1),
      PageDown: () => this.diagram.move(page), PageUp: () => this.diagram.move(-page),
      Home: () => this.diagram.move(-1e9), End: () => this.diagram.move(1e9),
      n: () => this.next(this.proofs(), 1), N: () => this.next(this.proofs(), -1),
      f: () => this.next(this.faults, 1), F: () => this.next(this.faults, -1),
      "+": () => this.diagram.zoom(1), "-": () => this.diagram.zoom(-1),
      "/": () => this.query.focus(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  // The nearest of some events before or after the selected one, going round at the ends.
  next(indexes, way) {
    if (!indexes.length) return;
    const here = this.diagram.selected;
    const found = way > 0 ? indexes.find((index) => index > here) : indexes.findLast((index) => index < here);
    this.goTo(found === undefined ? indexes[way > 0 ? 0 : indexes.length - 1] : found);
  }

  goTo(index) {
    if (this.diagram.rows && this.diagram.rows[this.diagram.rowOf(index)] !== index) this.clear();
    this.diagram.select(index, true);
  }

  clear() {
    this.query.value = "";
    this.filter.value = "all";
    this.hits = null;
    byId("hits").textContent = "";
    this.diagram.show(null);
  }

  goToTime(ns) {
    const index = Math.max(0, this.events.at(ns));
    this.diagram.scrollToRow(this.diagram.rowOf(index));
    this.diagram.draw();
  }

  // Looks through all events in slices, so that no frame waits for it.
  search() {
    const query = this.query.value, kind = this.filter.value, round = (this.round = (this.round || 0) + 1);
    if (!query.trim() && kind === "all") { this.clear(); return; }
    const fits = this.events.matcher(query), wanted = this.wanted(kind), found = [];
    let at = 0;
    const slice = () => {
      if (round !== this.round) return;
      const stop = Math.min(this.events.length, at + 8000);
      for (; at < stop; at++) if (wanted(at) && fits(at)) found.push(at);
      if (at < this.events.length) {
        byId("hits").textContent = `${found.length} found so far`;
        setTimeout(slice, 0);
        return;
      }
      byId("hits").textContent = `${found.length} of ${this.events.length} events`;
      this.hits = found;
      this.diagram.show(Int32Array.from(found));
    };
    slice();
  }

  wanted(kind) {
    const events = this.events;
    if (kind === "all") return () => true;
    if (kind === "marked") return (i) => (events.of(i).marks & (FAULT | BAD)) !== 0;
    if (kind.startsWith("lane:")) {
      const lane = Number(kind.slice(5));
      return (i) => events.of(i).lane === lane || events.of(i).to.includes(lane);
    }
    const place = events.kinds.indexOf(kind.slice(5));
    return (i) => events.of(i).kind === place;
  }

  moved(index, chosen, first, last) {
    if (chosen) {
      showEvent(this.events, index);
      return;
    }
    this.overview.show(this.events.times[first], this.events.times[last]);
    this.paintHead(index >= 0 && index >= first && index <= last ? index : first);
  }

  // Names of the lanes, and what each is doing at the selected row or at the top.
  paintHead(index) {
    const width = byId("rows").clientWidth, pitch = this.diagram.pitch, c = fit(this.head, width, 40);
    c.textAlign = "center";
    c.textBaseline = "middle";
    this.diagram.lanes.forEach((lane) => {
      const name = this.events.lanes[lane], x = this.diagram.laneX(lane), state = this.events.state(lane, index);
      c.font = `600 ${pitch < 60 ? 10 : 11}px system-ui, sans-serif`;
      c.fillStyle = STYLE.ink;
      c.fillText(cut(c, name, pitch - 4), x, 12);
      c.font = "10px system-ui, sans-serif";
      c.fillStyle = feeling(state) === "bad" ? STYLE.bad : STYLE.muted;
      c.fillText(cut(c, state.replace("_", " "), pitch - 4), x, 28);
    });
    c.textAlign = "left";
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = STYLE.muted;
    c.fillText("s", this.diagram.gutter - 26, 28);
    c.fillText("what happened", this.diagram.textX, 28);
  }
}

function cut(c, text, width) {
  if (c.measureText(text).width <= width) return text;
  let shown = text;
  while (shown.length > 1 && c.measureText(`${shown}…`).width > width) shown = shown.slice(0, -1);
  return `${shown}…`;
}

// The panel of one event: its sentence, its fields when the report has them, and where to read the rest.
function showEvent(events, index) {
  const seq = events.seq(index), template = events.of(index), panel = byId("event");
  const fields = DATA.excerpts[seq];
  const rows = fields
    ? Object.entries(fields).map(([name, value]) => el("tr", {}, el("th", {}, name), el("td", {}, shown(value))))
    : [el("tr", {}, el("td", { colspan: "2", class: "quiet" }, "Its fields: ", el("code", {}, `drycell show ${DATA.run} --event ${seq}`)))];
  panel.replaceChildren(
    el("h3", {}, `Event ${seq} · ${clock(events.times[index], 6)} · ${events.lanes[template.lane]} · ${events.kinds[template.kind]}`),
    el("p", {}, events.text(index)),
    el("table", {}, ...rows),
  );
}

function shown(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  try {
    const inner = JSON.parse(value);
    return typeof inner === "object" && inner !== null ? el("pre", {}, JSON.stringify(inner, null, 1)) : value;
  } catch {
    return value;
  }
}
