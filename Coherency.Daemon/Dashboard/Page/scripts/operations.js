// How long the operations of guests took lately, and how they failed.

import { byId, element, reconcile, setOptions, setText, stackingRow } from "./dom.js";
import { count, duration, latency, rate, ratio } from "./format.js";

const columns = [["Requests/s", "number"], ["p50", "number"], ["p99", "number"], ["Share of the time", "number"], ["Errors"]];

export class Operations {
  #activity;
  #guest = byId("operations-guest");

  constructor(activity) {
    this.#activity = activity;
    this.#guest.addEventListener("change", () => this.show());
  }

  offer(guests) {
    setOptions(this.#guest, guests.map((guest) => guest.name), 1);
  }

  show() {
    const operations = this.#activity.operations(this.#guest.value);
    const all = operations.reduce((sum, operation) => sum + operation.seconds, 0);
    const span = this.#activity.span;
    setText(byId("operations-span"), span ? `the last ${duration(span)}` : "");
    byId("operations-empty").hidden = operations.length > 0;
    reconcile(byId("operation-rows"), operations, (operation) => operation.name, () => stackingRow(columns), (row, operation) => {
      const [name, requests, median, late, part, errors] = row.cells;
      setText(name, operation.name);
      setText(requests, rate(operation.requests / span));
      setText(median, latency(operation.p50));
      setText(late, latency(operation.p99));
      setText(part, ratio(all ? operation.seconds / all : 0));
      reconcile(errors, operation.errors, ([error]) => error, () => element("span", { class: "tag" }), (tag, [error, times]) => setText(tag, `${error} ${count(times)}`));
    });
  }
}
