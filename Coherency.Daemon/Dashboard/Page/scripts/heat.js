// The version table of one guest as a map of moving slots, with the same in words and numbers beside it.

import { byId, element, reconcile, setOptions, setText } from "./dom.js";
import { count, latency, plural, rate } from "./format.js";
import { HeatCanvas } from "./heat-canvas.js";
import { HeatMoves, levels } from "./heat-moves.js";
import { number, seconds } from "./message.js";

const listed = 8;

export class Heat {
  #guest = byId("table-guest");
  #buckets = byId("table-buckets");
  #element = byId("heat");
  #canvas = new HeatCanvas(this.#element);
  #moves = new HeatMoves();
  #slots = 0;
  #chosen = null;

  /** @param changed Called when another table is to be asked for. */
  constructor(changed) {
    const another = () => {
      this.#moves.clear();
      this.#chosen = null;
      changed();
    };
    this.#guest.addEventListener("change", another);
    this.#buckets.addEventListener("change", another);
    this.#element.addEventListener("pointermove", (event) => this.#choose(this.#canvas.cellAt(event, this.#moves.length)));
    this.#element.addEventListener("pointerleave", () => this.#choose(null));
    this.#element.addEventListener("blur", () => this.#choose(null));
    this.#element.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("themechange", () => {
      this.#canvas.readColours();
      this.#show();
    });
    new ResizeObserver(() => this.#show()).observe(this.#element.parentElement);
    byId("heat-legend").append(...levels.map((text, level) =>
      element("li", {}, element("span", { class: "swatch", "data-level": String(level), "aria-hidden": "true" }), text)));
  }

  get path() {
    return this.#guest.value ? `/api/table/${encodeURIComponent(this.#guest.value)}?buckets=${this.#buckets.value}` : null;
  }

  /** Offers the guests that have a table. */
  offer(guests) {
    const names = guests.filter((guest) => guest.heartbeatBound !== undefined).map((guest) => guest.name);
    setOptions(this.#guest, names);
    if (names.length === 0) {
      this.missing("No guest has a version table: none is served with --cache coherent.");
    }
  }

  show(guest) {
    this.#guest.value = guest;
    this.#guest.dispatchEvent(new Event("change"));
    byId("table").scrollIntoView();
    this.#guest.focus({ preventScroll: true });
  }

  missing(message) {
    this.#moves.clear();
    byId("table-body").hidden = true;
    byId("table-missing").hidden = false;
    setText(byId("table-missing"), message);
  }

  receive(table) {
    byId("table-body").hidden = false;
    byId("table-missing").hidden = true;
    this.#slots = number(table.slots);
    this.#moves.receive(table.heat.map(Number), performance.now());
    this.#facts(table);
    this.#show();
    this.#summarize();
  }

  #show() {
    if (this.#moves.length > 0) {
      this.#canvas.paint(this.#moves.length, (index) => this.#moves.level(index), this.#chosen);
      setText(byId("heat-read"), this.#chosen === null ? "" : this.#describe(this.#chosen));
    }
  }

  #facts(table) {
    const facts = [
      ["Slots", count(this.#slots)],
      ["Slots per cell", count(this.#slots / table.heat.length)],
      ["Occupied", `${count(number(table.occupiedSlots))} (${((100 * number(table.occupiedSlots)) / this.#slots).toFixed(1)} %)`],
      ["Entries held", count(number(table.heldEntries))],
      ["Total moves", count(number(table.moves))],
      ["Moves per second", rate(table.movesPerSecond)],
      ["Changes in progress", count(number(table.slotsInChange))],
      ["False sharing, expected", `${rate(table.expectedFalseStalePerSecond)}/s`],
      ["Epoch", table.epoch],
      ["Heartbeat", `${latency(seconds(table.heartbeatAge))} of ${latency(seconds(table.heartbeatBound))}`],
    ];
    const list = byId("table-facts");
    if (list.children.length === 0) {
      list.append(...facts.map(([name]) => element("div", {}, element("dt", {}, name), element("dd"))));
    }

    facts.forEach(([, value], index) => setText(list.children[index].lastChild, value));
  }

  #summarize() {
    const cells = this.#moves.length;
    const moved = this.#moves.busiest(cells);
    const moves = moved.reduce((sum, run) => sum + run.moves, 0);
    setText(byId("heat-summary"), `${count(moved.length)} of ${count(cells)} runs moved, ${plural(moves, "move", "moves")}.`);
    setText(byId("heat-run"), count(this.#slots / cells));
    this.#element.setAttribute("aria-valuemax", String(cells - 1));
    if (document.activeElement !== this.#element) {
      this.#element.setAttribute("aria-valuetext", byId("heat-summary").textContent);
    }

    reconcile(byId("heat-rows"), moved.slice(0, listed), (run) => String(run.index), emptyRow, (row, run) => {
      setText(row.cells[0], this.#range(run.index));
      setText(row.cells[1], count(run.moves));
      setText(row.cells[2], count(this.#moves.sinceOpened(run.index)));
    });
  }

  #range(index) {
    const run = this.#slots / this.#moves.length;
    return `${count(index * run)}\u2013${count((index + 1) * run - 1)}`;
  }

  #describe(index) {
    return `Slots ${this.#range(index)}: ${plural(this.#moves.lately(index), "move", "moves")} lately, ${count(this.#moves.sinceOpened(index))} since opened`;
  }

  #key(event) {
    const at = this.#chosen ?? 0;
    const columns = this.#canvas.columns;
    const last = this.#moves.length - 1;
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: last };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      this.#choose(this.#chosen === null ? 0 : Math.min(last, Math.max(0, moves[event.key])));
      this.#element.setAttribute("aria-valuenow", String(this.#chosen));
      this.#element.setAttribute("aria-valuetext", this.#describe(this.#chosen));
    }
  }

  #choose(cell) {
    if (cell !== this.#chosen) {
      this.#chosen = cell;
      this.#show();
    }
  }
}

function emptyRow() {
  return element("tr", {}, element("th", { scope: "row" }), element("td", { class: "number" }), element("td", { class: "number" }));
}
