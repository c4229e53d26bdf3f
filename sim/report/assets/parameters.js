// What was measured, test by test: how the values lie between the limits, and which true value of the device they follow.
const BARS = 48;

class Parameters {
  constructor(devices) { this.devices = devices; }

  // One task per test, so that none of them holds the page up.
  tasks(box) {
    return this.devices.tests.map((test, t) => () => box.append(this.card(test, this.devices.values[t])));
  }

  card(test, column) {
    const real = column.filter((value) => value !== null && Math.abs(value) < 1e30);
    const lost = column.filter((value) => value !== null && Math.abs(value) >= 1e30).length;
    const fails = this.devices.failed.filter((numbers) => numbers.includes(test.number)).length;
    const odd = this.odd(test, column);
    const notes = [`${real.length} values`, fails ? `✕ ${fails} failed` : "✓ none failed"];
    if (lost) notes.push(`${lost} without a reading`);
    const card = el("article", { class: "parameter" }, el("h3", {}, test.name),
      el("p", { class: fails ? "is-bad" : "quiet" }, notes.join(" · ")));
    if (real.length) card.append(this.histogram(test, real), this.numbers(test, real));
    if (odd) card.append(el("p", { class: "is-odd" }, odd));
    const follows = this.follows(column, test.number);
    if (follows) card.append(el("p", { class: "quiet" }, follows));
    return card;
  }

  // Values and fail flags that contradict each other: a finding about the program, not about the devices.
  odd(test, column) {
    let flagged = 0, silent = 0;
    column.forEach((value, i) => {
      if (value === null || Math.abs(value) > 1e30) return;
      const out = (test.low !== null && value < test.low) || (test.high !== null && value > test.high);
      const failed = this.devices.failed[i].includes(test.number);
      if (failed && !out) flagged++;
      if (out && !failed) silent++;
    });
    const told = [];
    if (flagged) told.push(`${flagged} of these values are within the limits, and the program calls them failed all the same.`);
    if (silent) told.push(`${silent} of these values are outside the limits, and the program does not call them failed.`);
    return told.join(" ");
  }

  range(test, values) {
    let low = min(values), high = max(values);
    const limits = [test.low, test.high].filter((limit) => limit !== null);
    if (limits.length === 2) { // limits decide the picture unless they are far away from all values
      const span = test.high - test.low, inside = values.filter((value) => value >= test.low - span && value <= test.high + span);
      const spread = inside.length ? max(inside) - min(inside) : 0;
      if (span < 60 * (spread || span)) {
        low = test.low - span * 0.15;
        high = test.high + span * 0.15;
      }
    }
    if (!(high > low)) { low -= Math.abs(low) * 0.01 + 1e-12; high += Math.abs(high) * 0.01 + 1e-12; }
    return [low, high];
  }

  histogram(test, values) {
    const [low, high] = this.range(test, values), width = 336, height = 84, counts = new Array(BARS).fill(0);
    const bad = new Array(BARS).fill(0), good = (value) => (test.low === null || value >= test.low) && (test.high === null || value <= test.high);
    let under = 0, over = 0;
    for (const value of values) {
      const bar = Math.floor(((value - low) / (high - low)) * BARS);
      if (bar < 0) under++;
      else if (bar > BARS || (bar === BARS && value > high)) over++;
      else {
        counts[Math.min(BARS - 1, bar)]++;
        if (!good(value)) bad[Math.min(BARS - 1, bar)]++;
      }
    }
    const most = Math.max(1, ...counts), x = (value) => ((value - low) / (high - low)) * width;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height + 16}`, role: "img", class: "histogram" });
    picture.append(svg("title", {}, `${test.name}: ${values.length} values between ${number(min(values), test.units)} and ${number(max(values), test.units)}`));
    counts.forEach((count, bar) => {
      if (!count) return;
      const tall = Math.max(2, (count / most) * (height - 8));
      picture.append(svg("rect", { x: (bar * width) / BARS + 0.5, y: height - tall, width: width / BARS - 1, height: tall,
        class: bad[bar] * 2 > count ? "bar-bad" : "bar" }));
    });
    for (const limit of [test.low, test.high]) {
      if (limit === null || x(limit) < 0 || x(limit) > width) continue;
      picture.append(svg("line", { x1: x(limit), x2: x(limit), y1: 0, y2: height, class: "limit" }));
    }
    picture.append(svg("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5, class: "axis" }));
    picture.append(svg("text", { x: 0, y: height + 12, class: "tick" }, `${under ? `◂ ${under} below · ` : ""}${number(low, test.units)}`));
    picture.append(svg("text", { x: width, y: height + 12, class: "tick end" }, `${number(high, test.units)}${over ? ` · ${over} above ▸` : ""}`));
    return picture;
  }

  numbers(test, values) {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const sigma = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1));
    const cell = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const list = el("dl", { class: "numbers" }, cell("mean", number(mean, test.units)), cell("sigma", number(sigma, test.units)),
      cell("low limit", number(test.low, test.units)), cell("high limit", number(test.high, test.units)));
    return list;
  }

  // The true value that this test follows best, if any, by the correlation over the devices that pass it.
  follows(column, test) {
    const sound = column.map((value, i) => (this.devices.failed[i].includes(test) ? null : value));
    let best = "", most = 0;
    for (const [name, truth] of Object.entries(this.devices.true)) {
      const r = correlation(sound, truth);
      if (Math.abs(r) > Math.abs(most)) { most = r; best = name; }
    }
    return Math.abs(most) > 0.8 ? `Among devices that pass it, it follows their true ${best} (correlation ${most.toFixed(3)}).` : "";
  }
}

function correlation(a, b) {
  let n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i], y = b[i];
    if (x === null || y === null || Math.abs(x) > 1e30 || Math.abs(y) > 1e30) continue;
    n++; sa += x; sb += y; saa += x * x; sbb += y * y; sab += x * y;
  }
  const va = n * saa - sa * sa, vb = n * sbb - sb * sb;
  return n >= 8 && va > 0 && vb > 0 ? (n * sab - sa * sb) / Math.sqrt(va * vb) : 0;
}
