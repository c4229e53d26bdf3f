// Data of the page, small DOM helpers, numbers and colours. Text enters the page by textContent only.
const DATA = JSON.parse(document.getElementById("data").textContent);

const byId = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

function svg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Six significant digits at most, with an SI prefix when there is a unit.
function number(value, unit) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) > 1e30) return value > 0 ? "no reading" : "−∞";
  const size = Math.abs(value);
  if (unit && size > 0) {
    const steps = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
    const [scale, prefix] = steps.find(([scale]) => size >= scale * 0.9999999) || steps[steps.length - 1];
    return `${Number((value / scale).toPrecision(5))} ${prefix}${unit}`;
  }
  return String(Number(value.toPrecision(5))) + (unit ? ` ${unit}` : "");
}

// Nanoseconds as seconds, minutes or hours.
function clock(ns, digits) {
  const seconds = ns / 1e9, places = digits === undefined ? 3 : digits;
  if (seconds < 60) return `${seconds.toFixed(places)} s`;
  const minutes = Math.floor(seconds / 60), rest = (seconds % 60).toFixed(places).padStart(places ? places + 3 : 2, "0");
  if (minutes < 60) return `${minutes}:${rest} min`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest} h`;
}

const STYLE = {};
function readStyle() {
  const computed = getComputedStyle(document.documentElement);
  for (const name of ["ink", "muted", "line", "paper", "card", "accent", "good", "bad", "warn", "fault", "quiet",
    "work", "move", "gone", "other", "select"]) {
    STYLE[name] = computed.getPropertyValue(`--${name}`).trim();
  }
}

// States by what they mean to a person: at rest, at work, on the way, broken, gone.
const FEELINGS = {
  idle: "quiet", ready: "quiet", initialized: "quiet", busy: "quiet",
  testing: "work", selftesting: "work", awaiting_testing: "work", awaiting_results: "work",
  connecting: "move", reconnecting: "move", loading: "move", unloading: "move", starting: "move", resetting: "move",
  recovering: "move", startup: "move",
  softerror: "bad", error: "bad", crash: "bad",
  ended: "gone", terminated: "gone",
};
const feeling = (state) => FEELINGS[state] || "other";

// A canvas as sharp as the screen; draw() is called with a context in CSS pixels.
function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// Calls draw once per frame at most.
function onFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

// A block of deflated, Base64-encoded JSON.
async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
