// Requests per second of each guest: what the daemon remembers of the last minutes, and the chart of it.

import { byId, element, reconcile, setText, svg } from "./dom.js";
import { compact, duration, rate } from "./format.js";
import { number, seconds } from "./message.js";

const colours = 6;
const dashes = 4;
const margin = { top: 10, right: 12, bottom: 24, left: 52 };
const height = 240;
const gridLines = 4;

export class Rates {
  #byGuest = new Map();
  #sequence = 0;
  #interval = 1;
  #samples = 300;
  #cursor = null;
  #picture;
  #lines;
  #frame;
  #cursorLine;

  constructor() {
    this.#frame = svg("g", { "aria-hidden": "true" });
    this.#lines = svg("g", { "aria-hidden": "true" });
    this.#cursorLine = svg("line", { class: "cursor", visibility: "hidden" });
    this.#picture = svg(
      "svg",
      { role: "slider", tabindex: "0", "aria-label": "Moment in the chart of requests per second", "aria-valuemin": "0" },
      this.#frame, this.#lines, this.#cursorLine);
    byId("rates-plot").append(this.#picture);
    this.#picture.addEventListener("pointermove", (event) => this.#point(event));
    this.#picture.addEventListener("pointerleave", () => this.#choose(null));
    this.#picture.addEventListener("blur", () => this.#choose(null));
    this.#picture.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(byId("rates-plot"));
  }

  get path() {
    return `/api/rates?after=${this.#sequence}`;
  }

  /** Rates of a guest, the newest last; null where it was not there. */
  of(guest) {
    return this.#byGuest.get(guest) ?? [];
  }

  now(guest) {
    return this.of(guest).at(-1) ?? null;
  }

  receive(answer) {
    this.#interval = seconds(answer.interval);
    this.#samples = answer.samples;
    const sequence = number(answer.sequence);
    const passed = sequence - this.#sequence;
    this.#sequence = sequence;
    this.#byGuest = new Map(answer.guests.map(({ guest, rates }) => {
      const known = rates.map((rate) => (rate < 0 ? null : rate));
      // What the daemon does not remember, for it was not there, is a gap.
      const gap = Array(Math.max(0, Math.min(passed, this.#samples) - known.length)).fill(null);
      return [guest, [...this.of(guest), ...gap, ...known].slice(-this.#samples)];
    }));
    this.#draw();
  }

  #draw() {
    const width = this.#picture.clientWidth;
    if (width === 0) {
      return;
    }

    this.#picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const guests = [...this.#byGuest.keys()];
    const top = niceTop(Math.max(1, ...[...this.#byGuest.values()].flat().map((value) => value ?? 0)));
    const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
    const scale = {
      x: (age) => margin.left + inner.width * (1 - age / (this.#samples - 1)),
      y: (value) => margin.top + inner.height * (1 - value / top),
    };
    this.#drawFrame(scale, top, inner);
    reconcile(this.#lines, guests, (guest) => guest, () => svg("path", { class: "line" }), (path, guest) => {
      mark(path, guests.indexOf(guest));
      path.setAttribute("d", outline(this.of(guest), scale));
    });
    this.#drawCursor(scale);
    this.#describe(guests);
  }

  #drawFrame(scale, top, inner) {
    const right = margin.left + inner.width;
    const rows = Array.from({ length: gridLines + 1 }, (_, index) => (top * index) / gridLines);
    const span = (this.#samples - 1) * this.#interval;
    const minutes = Math.round(span / 60);
    const ages = Array.from({ length: minutes + 1 }, (_, index) => index).filter((age) => inner.width > 420 || age === 0 || age === minutes);
    this.#frame.replaceChildren(
      ...rows.map((value) => svg("line", { class: "grid", x1: margin.left, x2: right, y1: scale.y(value), y2: scale.y(value) })),
      ...rows.map((value) => svg("text", { class: "axis", x: margin.left - 8, y: scale.y(value) + 4, "text-anchor": "end" }, top < 4 ? value.toFixed(2) : compact(value))),
      ...ages.map((age) => svg(
        "text",
        { class: "axis", x: scale.x((age * 60) / this.#interval * ((this.#samples - 1) / this.#samples)), y: height - 6, "text-anchor": age === 0 ? "end" : age === minutes ? "start" : "middle" },
        age === 0 ? "now" : `\u2212${age} min`)));
  }

  #drawCursor(scale) {
    const x = this.#cursor === null ? 0 : scale.x(this.#cursor);
    this.#cursorLine.setAttribute("visibility", this.#cursor === null ? "hidden" : "visible");
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: margin.top, y2: height - margin.bottom })) {
      this.#cursorLine.setAttribute(name, value);
    }
  }

  #describe(guests) {
    const age = this.#cursor ?? 0;
    const when = age === 0 ? "now" : `${duration(age * this.#interval)} ago`;
    setText(byId("rates-span"), this.#cursor === null ? `the last ${Math.round((this.#samples * this.#interval) / 60)} minutes` : when);
    this.#picture.setAttribute("aria-valuemax", String(this.#samples - 1));
    this.#picture.setAttribute("aria-valuenow", String(this.#samples - 1 - age));
    if (this.#cursor !== null || !this.#picture.hasAttribute("aria-valuetext")) {
      this.#picture.setAttribute("aria-valuetext", `${when}: ${guests.map((guest) => `${guest} ${rate(this.#at(guest, age))}`).join(", ")}`);
    }

    reconcile(byId("rates-legend"), guests, (guest) => guest, legendItem, (item, guest) => {
      mark(item.querySelector("line"), guests.indexOf(guest));
      setText(item.lastChild, rate(this.#at(guest, age)));
    });
    reconcile(byId("rates-rows"), guests, (guest) => guest, tableRow, (row, guest) => {
      const known = this.of(guest).filter((value) => value !== null);
      const mean = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
      [this.now(guest), mean, known.length ? Math.max(...known) : null].forEach((value, index) => setText(row.cells[index + 1], rate(value)));
    });
  }

  #at(guest, age) {
    return this.of(guest).at(-1 - age) ?? null;
  }

  #point(event) {
    const box = this.#picture.getBoundingClientRect();
    const share = (event.clientX - box.left - margin.left) / (box.width - margin.left - margin.right);
    this.#choose(share < 0 || share > 1 ? null : Math.round((1 - share) * (this.#samples - 1)));
  }

  #key(event) {
    const age = this.#cursor ?? 0;
    const moves = { ArrowLeft: age + 1, ArrowDown: age + 1, ArrowRight: age - 1, ArrowUp: age - 1, PageDown: age + 30, PageUp: age - 30, Home: this.#samples - 1, End: 0 };
    if (event.key in moves) {
      event.preventDefault();
      this.#choose(Math.min(this.#samples - 1, Math.max(0, moves[event.key])));
    }
  }

  #choose(age) {
    this.#cursor = age;
    this.#draw();
  }
}

function outline(values, scale) {
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
    } else {
      path += `${pen}${scale.x(values.length - 1 - index).toFixed(1)} ${scale.y(value).toFixed(1)}`;
      pen = "L";
    }
  });
  return path;
}

/** Colour and dashes together tell twenty-four guests apart, and the first four without colour. */
function mark(node, index) {
  node.dataset.series = String(index % colours);
  node.dataset.dash = String((index + Math.floor(index / colours)) % dashes);
}

function legendItem(guest) {
  const line = svg("line", { x1: 0, x2: 32, y1: 6, y2: 6 });
  return element("li", {}, svg("svg", { viewBox: "0 0 32 12", "aria-hidden": "true" }, line), element("span", {}, guest), element("b"));
}

function tableRow(guest) {
  const cell = () => element("td", { class: "number" });
  return element("tr", {}, element("th", { scope: "row" }, guest), cell(), cell(), cell());
}

/** The least of 1, 2, 4, 5 or 10 times a power of ten that is not below. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 5, 10].find((step) => step * power >= value);
}
