// The devices: a map of the wafer or the strip, and the list with what was measured on each.
const BIN_COLOURS = ["b0", "b1", "b2", "b3", "b4", "b5"];

class Devices {
  constructor(packed, goTo) {
    this.columns = packed.columns;
    this.tests = packed.tests.map(([number, name, units, low, high]) => ({ number, name, units, low, high }));
    this.values = packed.values;
    this.failed = packed.failed;
    this.true = packed.true;
    this.count = this.columns.number.length;
    this.goTo = goTo;
    this.shown = 60;
    const bad = [...new Set(this.columns.hard.filter((bin, i) => bin !== null && !this.passed(i)))].sort((a, b) => a - b);
    this.colours = new Map(bad.map((bin, i) => [bin, BIN_COLOURS[i % BIN_COLOURS.length]]));
  }

  // Soft bins 1 to 9 are grades of good devices; without a soft bin, hard bin 1 is.
  passed(i) {
    const soft = this.columns.soft[i], hard = this.columns.hard[i];
    if (hard === null) return false;
    return soft === null ? hard === 1 : soft >= 1 && soft <= 9;
  }

  colour(i) {
    if (this.columns.hard[i] === null) return "none";
    return this.passed(i) ? "good" : this.colours.get(this.columns.hard[i]);
  }

  paintMaps(box) {
    const places = this.columns.place;
    const wafers = new Map();
    for (let i = 0; i < this.count; i++) {
      const wafer = places && places[i] ? places[i][0] : "";
      if (!wafers.has(wafer)) wafers.set(wafer, []);
      wafers.get(wafer).push(i);
    }
    const all = places ? places.filter(Boolean) : [];
    const corner = all.length ? [min(all.map((place) => place[1])), min(all.map((place) => place[2])),
      max(all.map((place) => place[1])), max(all.map((place) => place[2]))] : null;
    for (const [wafer, devices] of [...wafers].slice(0, 25)) box.append(this.map(wafer, devices, corner));
    if (wafers.size > 25) box.append(el("p", { class: "quiet" }, `${wafers.size - 25} more wafers are not drawn.`));
    box.append(this.legend());
  }

  map(wafer, devices, corner) {
    const places = this.columns.place;
    const width = Math.min(box_width(), 900), perRow = Math.max(10, Math.min(50, Math.ceil(Math.sqrt(devices.length * 4))));
    const spot = (i, order) => (places && places[i] ? [places[i][1], places[i][2]] : [order % perRow, Math.floor(order / perRow)]);
    const spots = devices.map(spot), xs = spots.map(([x]) => x), ys = spots.map(([, y]) => y);
    const [left, top, right, bottom] = corner && wafer !== "" ? corner : [min(xs), min(ys), max(xs), max(ys)];
    const columns = right - left + 1, rows = bottom - top + 1;
    const size = Math.max(2, Math.min(26, Math.floor(Math.min(width / columns, places ? 420 / rows : 26))));
    const canvas = el("canvas", { class: "map", role: "img", "aria-label": wafer === "" ? "strip map" : `map of wafer ${wafer}` });
    const draw = () => {
      const c = fit(canvas, columns * size, rows * size), styles = getComputedStyle(document.documentElement);
      c.font = `${Math.min(11, size * 0.5)}px system-ui, sans-serif`;
      c.textAlign = "center";
      c.textBaseline = "middle";
      devices.forEach((i, order) => {
        const x = (spots[order][0] - left) * size, y = (spots[order][1] - top) * size, colour = this.colour(i);
        c.fillStyle = styles.getPropertyValue(`--map-${colour}`).trim();
        c.fillRect(x, y, size > 4 ? size - 1 : size, size > 4 ? size - 1 : size);
        if (size < 14 || colour === "good" || colour === "none") return;
        c.fillStyle = styles.getPropertyValue("--on-map").trim();
        c.fillText(String(this.columns.hard[i]), x + size / 2 - 0.5, y + size / 2);
      });
    };
    draw();
    REPAINT.push(draw);
    const at = (event) => {
      const x = Math.floor(event.offsetX / size) + left, y = Math.floor(event.offsetY / size) + top;
      const order = spots.findIndex((place) => place[0] === x && place[1] === y);
      return order < 0 ? -1 : devices[order];
    };
    canvas.addEventListener("mousemove", (event) => (canvas.title = at(event) < 0 ? "" : this.told(at(event))));
    canvas.addEventListener("click", (event) => at(event) >= 0 && this.goTo(this.columns.seq[at(event)]));
    return el("figure", {}, canvas, el("figcaption", {}, wafer === "" ? "Devices in the order of the lot" : `Wafer ${wafer}`));
  }

  told(i) {
    const bin = this.columns.hard[i];
    return `part ${this.columns.part[i]}, site ${this.columns.site[i]}, ` + (bin === null ? "no bin" : `hard bin ${bin}, soft bin ${this.columns.soft[i] ?? "–"}`);
  }

  legend() {
    const key = (colour, text) => el("span", {}, el("i", { class: `swatch map-${colour}` }), text);
    return el("p", { class: "legend" }, key("good", "passed"),
      ...[...this.colours].map(([bin, colour]) => key(colour, `hard bin ${bin}`)),
      ...(this.columns.hard.includes(null) ? [key("none", "no bin")] : []));
  }

  fillTable(table, more) {
    const only = byId("devices-filter"), words = byId("devices-query");
    const refill = () => {
      const wanted = this.wanted(only.value, words.value.trim().toLowerCase());
      table.tBodies[0].replaceChildren(...wanted.slice(0, this.shown).map((i) => this.row(i)));
      more.hidden = wanted.length <= this.shown;
      more.textContent = `Show more (${wanted.length - this.shown} are hidden)`;
    };
    only.addEventListener("change", refill);
    words.addEventListener("input", refill);
    more.addEventListener("click", () => { this.shown += 500; refill(); });
    if (this.columns.hard.some((bin, i) => !this.passed(i))) only.value = "failed";
    refill();
  }

  wanted(which, word) {
    const found = [];
    for (let i = 0; i < this.count; i++) {
      if (which === "failed" && this.passed(i)) continue;
      if (word && !`${this.columns.part[i]} site ${this.columns.site[i]} bin ${this.columns.hard[i]}`.toLowerCase().includes(word)) continue;
      found.push(i);
    }
    return found;
  }

  row(i) {
    const c = this.columns, seq = c.seq[i];
    const names = this.failed[i].map((number) => this.tests.find((test) => test.number === number)?.name ?? number);
    const link = el("a", { href: `#e${seq}` }, `event ${seq}`);
    const button = el("button", { type: "button", "aria-expanded": "false" }, "values");
    const row = el("tr", {}, el("td", {}, c.part[i]), el("td", {}, c.site[i]), el("td", {}, c.touchdown[i]),
      el("td", {}, c.attempts[i]), el("td", {}, c.soft[i] ?? "–"), el("td", {}, c.hard[i] ?? "–"),
      el("td", { class: this.passed(i) ? "is-good" : "is-bad" }, c.hard[i] === null ? "no bin" : this.passed(i) ? "✓ passed" : `✕ ${names.join(", ") || "failed"}`),
      el("td", {}, link), el("td", {}, button));
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) row.nextSibling.remove();
      else row.after(el("tr", { class: "inner" }, el("td", { colspan: "9" }, this.measured(i))));
    });
    return row;
  }

  measured(i) {
    const rows = this.tests.map((test, t) => {
      const value = this.values[t][i], bad = this.failed[i].includes(test.number);
      return el("tr", {}, el("td", {}, test.name), el("td", { class: bad ? "is-bad" : "" }, `${bad ? "✕ " : ""}${number(value, test.units)}`),
        el("td", {}, number(test.low, test.units)), el("td", {}, number(test.high, test.units)));
    });
    const box = el("div", { class: "measured" }, el("table", {}, head("Test", "Measured", "Low limit", "High limit"), el("tbody", {}, ...rows)));
    const names = Object.keys(this.true);
    if (names.length) {
      box.append(el("table", {}, head("True value of the device", ""), el("tbody", {},
        ...names.map((name) => el("tr", {}, el("td", {}, name), el("td", {}, number(this.true[name][i])))))));
    }
    return box;
  }
}

function head(...titles) { return el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", {}, title)))); }
function box_width() { return document.querySelector("main").clientWidth - 8; }
function min(list) { return list.reduce((a, b) => Math.min(a, b), Infinity); }
function max(list) { return list.reduce((a, b) => Math.max(a, b), -Infinity); }
