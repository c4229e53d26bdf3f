// The Lamport diagram: one row per event in the journal's order, one column per lane, arrows from sender to receivers.
// Only the rows in view are drawn.
const HEIGHTS = [3, 5, 8, 12, 16, 20, 26];

class Lamport {
  constructor(events, box, onMove) {
    this.events = events;
    this.scroller = box;
    this.canvas = box.querySelector("canvas");
    this.spacer = box.querySelector(".spacer");
    this.onMove = onMove;
    this.rows = null; // the events shown, null for all
    this.selected = -1;
    this.evidence = new Set(DATA.evidence);
    this.level = 5;
    this.lanes = shownLanes(events);
    this.place = new Map(this.lanes.map((lane, place) => [lane, place]));
    this.draw = onFrame(() => this.paint());
    this.resize();
    box.addEventListener("scroll", this.draw, { passive: true });
    this.canvas.addEventListener("click", (event) => {
      const row = this.rowAt(event.offsetY);
      if (row >= 0 && row < this.count) this.select(this.eventAt(row));
    });
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
  }

  get height() { return HEIGHTS[this.level]; }
  get count() { return this.rows ? this.rows.length : this.events.length; }
  eventAt(row) { return this.rows ? this.rows[row] : row; }

  rowOf(index) {
    if (!this.rows) return index;
    let low = 0, high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] < index) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, this.rows.length - 1);
  }

  // Browsers limit the height of an element; beyond it, scrolling is by share.
  resize() {
    const full = this.count * this.height;
    this.spacer.style.height = `${Math.max(0, Math.min(full, 8e6) - this.scroller.clientHeight)}px`;
    this.draw();
  }

  get topPixel() {
    const view = this.scroller.clientHeight, full = this.count * this.height, shown = Math.min(full, 8e6);
    if (shown <= view) return 0;
    return (this.scroller.scrollTop / (shown - view)) * (full - view);
  }

  scrollToRow(row) {
    const view = this.scroller.clientHeight, full = this.count * this.height, shown = Math.min(full, 8e6);
    if (shown <= view) return;
    const wanted = Math.max(0, Math.min(full - view, row * this.height - view / 2));
    this.scroller.scrollTop = (wanted / (full - view)) * (shown - view);
  }

  rowAt(y) { return Math.floor((this.topPixel + y) / this.height); }

  zoom(by) {
    const middle = this.selected >= 0 ? this.rowOf(this.selected) : this.rowAt(this.scroller.clientHeight / 2);
    this.level = Math.max(0, Math.min(HEIGHTS.length - 1, this.level + by));
    this.resize();
    this.scrollToRow(middle);
    this.draw();
  }

  show(rows) {
    this.rows = rows;
    this.resize();
    if (this.selected >= 0) this.scrollToRow(this.rowOf(this.selected));
    else this.scroller.scrollTop = 0;
    this.draw();
  }

  select(index, scroll) {
    this.selected = index;
    const row = this.rowOf(index), y = row * this.height - this.topPixel;
    if (scroll || y < 0 || y > this.scroller.clientHeight - this.height) this.scrollToRow(row);
    this.draw();
    this.onMove(index, true);
  }

  move(by) {
    const from = this.selected < 0 ? this.rowAt(0) : this.rowOf(this.selected);
    const row = Math.max(0, Math.min(this.count - 1, from + by));
    const view = this.scroller.clientHeight, y = row * this.height - this.topPixel;
    if (y < 0 || y > view - this.height) {
      const goal = by < 0 ? row + view / this.height / 2 - 1 : row - view / this.height / 2 + 1;
      this.scrollToRow(goal);
    }
    this.selected = this.eventAt(row);
    this.draw();
    this.onMove(this.selected, true);
  }

  layout(width) {
    const lanes = this.lanes.length, gutter = width < 700 ? 76 : 132;
    const text = width < 700 ? 160 : Math.max(320, width * 0.38);
    this.gutter = gutter;
    this.pitch = Math.max(18, Math.min(96, (width - gutter - text) / lanes));
    this.textX = gutter + this.pitch * lanes + 10;
  }

  laneX(lane) { return this.gutter + this.pitch * (this.place.get(lane) + 0.5); }

  paint() {
    const view = this.scroller.clientHeight, width = this.scroller.clientWidth, c = fit(this.canvas, width, view);
    this.layout(width);
    const top = this.topPixel, height = this.height, first = Math.max(0, Math.floor(top / height));
    const last = Math.min(this.count - 1, Math.floor((top + view) / height));
    c.textBaseline = "middle";
    c.lineCap = "butt";
    this.paintBands(c, first, last, top, view);
    for (let row = first; row <= last; row++) this.paintRow(c, row, row * height - top);
    if (this.count) this.onMove(this.selected, false, this.eventAt(first), this.eventAt(Math.max(first, last)));
  }

  paintBands(c, first, last, top, view) {
    if (!this.count) return;
    const height = this.height, thick = Math.min(12, this.pitch * 0.3);
    for (const lane of this.lanes) {
      const x = this.laneX(lane), begin = this.eventAt(first), end = this.eventAt(last);
      c.fillStyle = STYLE.line;
      c.fillRect(x - 0.5, 0, 1, Math.min(view, this.count * height));
      const bands = this.events.bands[lane];
      for (let band = Math.max(0, this.events.band(lane, begin)); band < bands.starts.length; band++) {
        if (bands.starts[band] > end) break;
        const from = bands.starts[band] <= begin ? first : this.rowOf(bands.starts[band]);
        const until = band + 1 < bands.starts.length ? this.rowOf(bands.starts[band + 1]) : this.count;
        this.paintBand(c, bands.states[band], x, thick, (from + (bands.starts[band] < begin ? 0 : 0.5)) * height - top,
          Math.min(view + height, (Math.min(until, last + 1) + 0.5) * height - top));
      }
    }
  }

  paintBand(c, state, x, thick, y, bottom) {
    const kind = feeling(state);
    if (kind === "gone" || bottom <= y) return;
    c.fillStyle = STYLE[kind];
    c.fillRect(x - thick / 2, y, thick, bottom - y);
    if (kind !== "bad") return;
    c.save(); // hatched, so that it shows without colour
    c.beginPath();
    c.rect(x - thick / 2, y, thick, bottom - y);
    c.clip();
    c.strokeStyle = STYLE.card;
    c.lineWidth = 1.5;
    c.beginPath();
    for (let at = Math.floor(y / 6) * 6 - 12; at < bottom; at += 6) {
      c.moveTo(x - thick, at + thick * 2);
      c.lineTo(x + thick, at);
    }
    c.stroke();
    c.restore();
  }

  paintRow(c, row, y) {
    const index = this.eventAt(row), template = this.events.of(index), height = this.height, middle = y + height / 2;
    const proof = this.evidence.has(this.events.seq(index)), width = this.scroller.clientWidth;
    if (index === this.selected || proof || template.marks & FAULT) {
      c.globalAlpha = index === this.selected ? 0.16 : 0.1;
      c.fillStyle = index === this.selected ? STYLE.select : template.marks & FAULT ? STYLE.fault : STYLE.bad;
      c.fillRect(0, y, width, height);
      c.globalAlpha = 1;
    }
    this.paintMessage(c, template, middle);
    if (height >= 12) this.paintWords(c, row, index, template, middle, proof, width);
    else if (proof || template.marks & FAULT) {
      c.fillStyle = proof ? STYLE.bad : STYLE.fault;
      diamond(c, this.gutter - 8, middle, 4);
    }
  }

  paintMessage(c, template, y) {
    if (!this.place.has(template.lane)) return;
    const x = this.laneX(template.lane), size = this.height >= 12 ? 3 : Math.max(1, this.height / 4);
    const colour = template.marks & (FAULT | EFFECT) ? STYLE.fault : template.marks & BAD ? STYLE.bad : STYLE.ink;
    c.strokeStyle = c.fillStyle = colour;
    c.lineWidth = this.height >= 12 ? 1.2 : 0.7;
    for (const lane of template.to) {
      if (!this.place.has(lane)) continue;
      const goal = this.laneX(lane), way = Math.sign(goal - x);
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(goal - way * 5, y);
      c.stroke();
      if (this.height >= 8) this.head(c, goal - way * 4, y, way);
    }
    c.beginPath();
    if (template.marks & FAULT && this.height >= 8) triangle(c, x, y + 1, 6);
    else if (template.marks & STATE && !template.to.length) c.fillRect(x - size - 2, y - size * 0.6, (size + 2) * 2, size * 1.2);
    else {
      c.arc(x, y, size, 0, Math.PI * 2);
      c.fill();
    }
    const stdf = template.marks & STDF_WRITE ? this.events.lanes.indexOf("STDF") : -1;
    if (stdf >= 0) {
      c.fillStyle = STYLE.accent;
      c.fillRect(this.laneX(stdf) - 4, y - size / 2, 8, Math.max(1, size));
    }
  }

  head(c, x, y, way) {
    c.beginPath();
    c.moveTo(x + way * 3, y);
    c.lineTo(x - way * 4, y - 3.2);
    c.lineTo(x - way * 4, y + 3.2);
    c.fill();
  }

  paintWords(c, row, index, template, y, proof, width) {
    const size = this.height >= 16 ? 12 : 10, events = this.events;
    c.font = `${size - 1}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    const before = row > 0 ? events.times[this.eventAt(row - 1)] : -1, ns = events.times[index];
    if (before >= 0 && ns !== before) { // time has passed
      c.fillStyle = STYLE.line;
      c.fillRect(0, Math.round(y - this.height / 2), width, 1);
    }
    c.textAlign = "right";
    c.fillStyle = STYLE.muted;
    if (ns !== before || index === this.selected || row === Math.floor(this.topPixel / this.height) + 1) {
      c.fillText((ns / 1e9).toFixed(this.gutter > 100 ? 6 : 3), this.gutter - 18, y);
    }
    if (proof) {
      c.fillStyle = STYLE.bad;
      diamond(c, this.gutter - 8, y, 4.5);
    }
    c.font = `${template.marks & (FAULT | BAD) || proof ? "600 " : ""}${size}px system-ui, sans-serif`;
    c.textAlign = "left";
    const lane = events.lanes[template.lane];
    c.fillStyle = template.marks & (FAULT | EFFECT) ? STYLE.fault : template.marks & BAD ? STYLE.bad : STYLE.ink;
    const heavy = template.marks & (FAULT | BAD) || proof ? 1.12 : 1;
    c.fillText(fitting(`${lane}: ${events.text(index)}`, width - this.textX - 6, size * heavy), this.textX, y);
  }
}

// Roughly what fits: measuring every text exactly would cost more than drawing it.
function fitting(text, width, size) {
  const most = Math.floor(width / (size * 0.53));
  return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
}
