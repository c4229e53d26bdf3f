// The whole run at a glance: simulated time from left to right, one band of states per lane. Drawn by pixel column,
// so that it costs the same for a hundred events and for a million.
class Overview {
  constructor(events, canvas, onPick) {
    this.events = events;
    this.canvas = canvas;
    this.onPick = onPick;
    this.from = 0;
    this.to = Math.max(events.end, 1);
    this.view = [0, 0];
    this.labels = 92;
    this.lane = 15;
    this.lanes = shownLanes(events);
    this.picture = document.createElement("canvas"); // bands and axis, drawn again only when the window changes
    this.drawn = "";
    this.draw = onFrame(() => this.paint());
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    let dragging = false;
    const pick = (event) => this.onPick(this.timeAt(event.offsetX));
    canvas.addEventListener("pointerdown", (event) => {
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      pick(event);
    });
    canvas.addEventListener("pointermove", (event) => dragging && pick(event));
    canvas.addEventListener("pointerup", () => (dragging = false));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey && !event.altKey) return;
      event.preventDefault();
      this.zoom(Math.exp((event.deltaY || event.deltaX) * 0.002), this.timeAt(event.offsetX));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.zoom(Infinity));
  }

  zoom(factor, around) {
    const all = Math.max(this.events.end, 1), middle = around === undefined ? (this.view[0] + this.view[1]) / 2 : around;
    const span = Math.min(all, Math.max(1e3, (this.to - this.from) * factor));
    const share = (middle - this.from) / (this.to - this.from);
    this.from = Math.max(0, Math.min(all - span, middle - span * Math.min(1, Math.max(0, share))));
    this.to = this.from + span;
    this.draw();
  }

  show(firstNs, lastNs) {
    this.view = [firstNs, lastNs];
    if (lastNs < this.from || firstNs > this.to) {
      const span = this.to - this.from;
      this.from = Math.max(0, Math.min(Math.max(this.events.end, 1) - span, firstNs - span / 2));
      this.to = this.from + span;
    }
    this.draw();
  }

  x(ns) { return this.labels + ((ns - this.from) / (this.to - this.from)) * (this.width - this.labels - 12); }
  timeAt(x) { return this.from + ((x - this.labels) / (this.width - this.labels - 12)) * (this.to - this.from); }

  repaint() {
    this.drawn = "";
    this.draw();
  }

  paint() {
    this.width = this.canvas.parentElement.clientWidth;
    if (!this.width) return;
    const height = 26 + this.lanes.length * this.lane + 20, state = `${this.from} ${this.to} ${this.width}`;
    if (state !== this.drawn) {
      this.drawn = state;
      this.paintAll(fit(this.picture, this.width, height), height);
    }
    const c = fit(this.canvas, this.width, height);
    c.drawImage(this.picture, 0, 0, this.width, height);
    const left = this.x(this.view[0]), right = Math.max(left + 2, this.x(this.view[1]));
    c.strokeStyle = STYLE.select;
    c.lineWidth = 1.5;
    c.strokeRect(left - 1, 22, right - left + 2, height - 42);
  }

  paintAll(c, height) {
    c.font = "11px system-ui, sans-serif";
    c.textBaseline = "middle";
    this.lanes.forEach((lane, place) => this.paintLane(c, lane, 26 + place * this.lane));
    this.paintMarks(c, height);
    this.paintAxis(c, height);
  }

  paintLane(c, lane, y) {
    const name = this.events.lanes[lane], bands = this.events.bands[lane], end = Math.ceil(this.x(this.to));
    c.fillStyle = STYLE.muted;
    c.textAlign = "right";
    c.fillText(name.length > 14 ? `${name.slice(0, 13)}…` : name, this.labels - 8, y + this.lane / 2);
    if (!bands.starts.length) {
      this.paintTicks(c, lane, y);
      return;
    }
    let band = this.events.band(lane, this.events.at(this.from));
    for (let x = this.labels; x < end; x++) {
      const from = this.timeAt(x), to = this.timeAt(x + 1), shares = {};
      for (let at = Math.max(0, band); at < bands.starts.length; at++) {
        const begin = this.events.times[bands.starts[at]];
        if (begin >= to) break;
        band = at;
        const until = at + 1 < bands.starts.length ? this.events.times[bands.starts[at + 1]] : this.events.end;
        const kind = feeling(bands.states[at]), lasts = Math.min(to, until) - Math.max(from, begin);
        if (lasts > 0 || (kind === "bad" && begin >= from)) shares[kind] = (shares[kind] || 0) + Math.max(0, lasts);
      }
      this.paintPixel(c, x, y, shares, to - from);
    }
  }

  // One pixel column of a band: what is broken fills it whole, all else by its share of the time.
  paintPixel(c, x, y, shares, whole) {
    const tall = this.lane - 4;
    if (shares.bad !== undefined) {
      c.fillStyle = STYLE.bad;
      c.fillRect(x, y + 2, 1, tall);
      return;
    }
    let top = y + 2 + tall;
    for (const kind of ["work", "move", "other", "quiet"]) {
      const part = Math.min(top - y - 2, ((shares[kind] || 0) / whole) * tall);
      if (part <= 0) continue;
      c.fillStyle = STYLE[kind];
      c.fillRect(x, top - part, 1, part);
      top -= part;
    }
  }

  // Lanes without states: a tick for every pixel in which something happens.
  paintTicks(c, lane, y) {
    if (!this.ticks) this.readTicks();
    const times = this.ticks[lane];
    c.fillStyle = STYLE.other;
    let last = -1;
    const step = Math.max(1, Math.floor(times.length / 20000));
    for (let i = 0; i < times.length; i += step) {
      const x = Math.round(this.x(times[i]));
      if (x !== last && x >= this.labels && x <= this.width) c.fillRect(x, y + 4, 1, this.lane - 8);
      last = x;
    }
  }

  readTicks() {
    const events = this.events, stdf = events.lanes.indexOf("STDF");
    this.ticks = events.lanes.map(() => []);
    for (let i = 0; i < events.length; i++) {
      const template = events.of(i);
      this.ticks[template.lane].push(events.times[i]);
      if (template.marks & STDF_WRITE && stdf >= 0) this.ticks[stdf].push(events.times[i]);
    }
  }

  paintMarks(c, height) {
    for (const index of this.events.marked) {
      const fault = this.events.of(index).marks & FAULT, x = this.x(this.events.times[index]);
      if (!fault || x < this.labels || x > this.width) continue;
      c.fillStyle = c.strokeStyle = STYLE.fault;
      c.lineWidth = 1;
      c.setLineDash([3, 3]);
      c.beginPath();
      c.moveTo(x, 22);
      c.lineTo(x, height - 18);
      c.stroke();
      c.setLineDash([]);
      triangle(c, x, 20, 5);
    }
    for (const seq of DATA.evidence) {
      if (!this.events.has(seq)) continue;
      const x = this.x(this.events.times[this.events.index(seq)]);
      if (x < this.labels || x > this.width) continue;
      c.fillStyle = STYLE.bad;
      diamond(c, x, 8, 5);
    }
  }

  paintAxis(c, height) {
    const span = this.to - this.from, rough = span / Math.max(2, this.width / 130), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough);
    c.fillStyle = STYLE.muted;
    c.strokeStyle = STYLE.line;
    c.lineWidth = 1;
    c.textAlign = "center";
    const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step))));
    for (let ns = Math.ceil(this.from / step) * step; ns <= this.to; ns += step) {
      const x = Math.round(this.x(ns)) + 0.5;
      c.beginPath();
      c.moveTo(x, height - 20);
      c.lineTo(x, height - 15);
      c.stroke();
      if (x < this.width - 30) c.fillText(clock(ns, step >= 1e9 ? 0 : digits), x, height - 7);
    }
  }
}

function triangle(c, x, y, size) {
  c.beginPath();
  c.moveTo(x - size, y - size);
  c.lineTo(x + size, y - size);
  c.lineTo(x, y + size * 0.6);
  c.fill();
}

function diamond(c, x, y, size) {
  c.beginPath();
  c.moveTo(x, y - size);
  c.lineTo(x + size, y);
  c.lineTo(x, y + size);
  c.lineTo(x - size, y);
  c.fill();
}
