// The events of the run, unpacked from their columns. An event is an index from 0; its number is first + index.
const FAULT = 1, BAD = 2, STDF_WRITE = 4, STATE = 8, EFFECT = 16;
const GAP = "\u001f";

// The lanes to draw when there are too many: those that something happened to first, controls last.
function shownLanes(events, most) {
  const limit = most || 26, worth = new Array(events.lanes.length).fill(0);
  if (events.lanes.length <= limit) return events.lanes.map((_, lane) => lane);
  for (const index of events.marked) worth[events.of(index).lane]++;
  const rank = (lane) => {
    const name = events.lanes[lane];
    if (!/^(site|control) /.test(name)) return 0;
    return worth[lane] ? 1 : name.startsWith("site ") ? 2 : 3;
  };
  const order = events.lanes.map((_, lane) => lane).sort((a, b) => rank(a) - rank(b) || a - b);
  return order.slice(0, limit).sort((a, b) => a - b);
}

class Events {
  constructor(packed) {
    this.first = packed.first;
    this.lanes = packed.lanes;
    this.kinds = packed.kinds;
    this.templates = packed.templates.map(([kind, lane, to, state, marks, text]) =>
      ({ kind, lane, to, state, marks, text, pieces: text.split(GAP) }));
    this.rows = Uint32Array.from(packed.e);
    this.length = this.rows.length;
    this.times = new Float64Array(this.length);
    let steps = 0;
    for (let i = 0; i < this.length; i++) {
      steps += packed.t[i];
      this.times[i] = steps * packed.unit_ns;
    }
    this.arguments = packed.a.split("\n");
    this.end = this.length ? this.times[this.length - 1] : 0;
    this.readBands();
    this.marked = [];
    for (let i = 0; i < this.length; i++) if (this.templates[this.rows[i]].marks & (FAULT | BAD)) this.marked.push(i);
  }

  // For every lane the events at which it enters a state.
  readBands() {
    const starts = this.lanes.map(() => []), states = this.lanes.map(() => []);
    for (let i = 0; i < this.length; i++) {
      const template = this.templates[this.rows[i]];
      if (template.marks & STATE) {
        starts[template.lane].push(i);
        states[template.lane].push(template.state);
      }
    }
    this.bands = starts.map((list, lane) => ({ starts: Int32Array.from(list), states: states[lane] }));
  }

  of(index) { return this.templates[this.rows[index]]; }
  seq(index) { return index + this.first; }
  index(seq) { return seq - this.first; }
  has(seq) { return seq >= this.first && seq < this.first + this.length; }

  text(index) {
    const pieces = this.of(index).pieces;
    if (pieces.length === 1) return pieces[0];
    const numbers = this.arguments[index].split(" ");
    let text = pieces[0];
    for (let i = 1; i < pieces.length; i++) text += numbers[i - 1] + pieces[i];
    return text;
  }

  // The position in a lane's bands at event index, -1 before the first.
  band(lane, index) {
    const starts = this.bands[lane].starts;
    let low = 0, high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  state(lane, index) {
    const band = this.band(lane, index);
    return band < 0 ? "" : this.bands[lane].states[band];
  }

  // The last event not after a time; -1 before all.
  at(ns) {
    let low = 0, high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= ns) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  matcher(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return (index) => {
      const template = this.of(index);
      const text = `${this.seq(index)} ${this.lanes[template.lane]} ${this.kinds[template.kind]} ${this.text(index)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
  }
}
