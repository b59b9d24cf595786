// The table of guests, and the tiles that sum it up.

import { announce } from "./announce.js";
import { byId, element, reconcile, setText, stackingRow, svg } from "./dom.js";
import { compact, count, duration, latency, plural, rate, ratio, unknown } from "./format.js";
import { number, seconds, word } from "./message.js";
import { sparkline } from "./sparkline.js";

const columns = [
  ["State"], ["Requests/s", "number"], ["p50", "number"], ["p99", "number"], ["Errors", "number"], ["Waiting", "number"],
  ["Stale now", "number"], ["Hit ratio", "number"], ["Descriptors", "number"], ["Heartbeat age", "number"],
];

/** A state has a shape as well as a colour. */
const shapes = {
  mounted: "M2 8a6 6 0 1 0 12 0a6 6 0 1 0-12 0z",
  connected: "M2 8a6 6 0 1 0 12 0a6 6 0 1 0-12 0zM8 2v12",
  listening: "M2 8a6 6 0 1 0 12 0a6 6 0 1 0-12 0z",
  draining: "M2 3h12L8 14z",
  drained: "M3 3h10v10H3z",
};

const words = { mounted: "Mounted", connected: "Connected", listening: "Not connected", draining: "Draining", drained: "Drained" };

/** What guests can be sorted by, the greatest first. */
const orders = {
  p99: (guest) => guest.lately.p99 ?? 0,
  rate: (guest) => guest.rate ?? 0,
  errors: (guest) => guest.lately.failed ?? 0,
  stale: (guest) => guest.stale ?? 0,
};

export class Guests {
  #rates;
  #activity;
  #order = byId("guest-order");
  #onTable;
  #onStale;
  #states = new Map();
  #staleBelieved = 0;

  /** @param onTable Called with the name of a guest whose table is to be shown; `onStale` likewise. */
  constructor(rates, activity, onTable, onStale) {
    this.#rates = rates;
    this.#activity = activity;
    this.#onTable = onTable;
    this.#onStale = onStale;
    this.#order.addEventListener("change", () => this.#show());
  }

  /** Of the last answer. */
  list = [];

  receive(guests) {
    this.list = guests.map((guest) => ({
      ...guest,
      state: word(guest.state, "GUEST_STATE_"),
      cache: word(guest.cache, "CACHE_MODE_"),
      hitRatio: guest.hitRatio ?? null,
      stale: number(guest.staleEntries),
      heartbeatAge: seconds(guest.heartbeatAge),
      heartbeatBound: seconds(guest.heartbeatBound),
      rate: this.#rates.now(guest.name),
      lately: this.#activity.of(guest.name),
    }));
    this.#show();
    this.#tiles(this.list);
    this.#tellChanges(this.list);
  }

  #show() {
    const value = orders[this.#order.value];
    const guests = value ? this.list.toSorted((one, other) => value(other) - value(one)) : this.list;
    reconcile(byId("guest-rows"), guests, (guest) => guest.name, (guest) => this.#row(guest), (row, guest) => this.#update(row, guest));
    byId("guests-empty").hidden = guests.length > 0;
  }

  #row(guest) {
    const row = stackingRow(columns);
    const name = element("button", { type: "button", class: "row-button" }, guest.name);
    name.addEventListener("click", () => this.#onTable(guest.name));
    row.cells[0].append(name, element("span", { class: "sub" }));
    const badge = element("span", { class: "state" }, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path")), element("span"));
    row.cells[1].append(element("span", {}, badge, element("span", { class: "sub" })));
    row.cells[2].append(element("span", { class: "with-spark" }, sparkline(), element("span")));
    return row;
  }

  #update(row, guest) {
    const [header, state, requests, median, late, errors, waiting, stale, hits, descriptors, heartbeat] = row.cells;
    const button = header.firstChild;
    button.disabled = guest.heartbeatBound === null;
    setText(header.lastChild, guest.kind === "GUEST_KIND_MOUNT" ? `${guest.share} on ${guest.socket}` : guest.share);
    const [badge, more] = state.firstChild.children;
    badge.dataset.state = guest.state;
    badge.firstChild.firstChild.setAttribute("d", shapes[guest.state]);
    setText(badge.lastChild, words[guest.state]);
    setText(more, [caching(guest), ...sinceWhen(guest)].join(", "));
    sparkline.draw(requests.querySelector("svg"), this.#rates.of(guest.name));
    setText(requests.firstChild.lastChild, rate(guest.rate));
    setText(median, latency(guest.lately.p50));
    setText(late, latency(guest.lately.p99));
    setText(errors, count(guest.lately.failed));
    errors.classList.toggle("late", guest.lately.failed > 0);
    setText(waiting, count(number(guest.waitingRequests)));
    this.#updateStale(stale, guest);
    setText(hits, guest.hitRatio === null ? "not known" : ratio(guest.hitRatio));
    setText(descriptors, count(number(guest.keptDescriptors)));
    updateHeartbeat(heartbeat, guest);
  }

  #updateStale(cell, guest) {
    if (cell.children.length === 0) {
      const button = element("button", { type: "button", class: "row-button" });
      button.addEventListener("click", () => this.#onStale(guest.name));
      cell.append(element("span", {}, button, element("span"), element("span", { class: "sub" })));
    }

    const [button, plain, held] = cell.firstChild.children;
    button.hidden = !guest.stale;
    plain.hidden = !button.hidden;
    setText(button, count(guest.stale));
    button.setAttribute("aria-label", `${plural(guest.stale, "stale entry", "stale entries")} of ${guest.name}: show`);
    setText(plain, count(guest.stale));
    setText(held, guest.stale === null ? "" : `of ${count(number(guest.heldEntries))} held`);
  }

  #tiles(guests) {
    const mounted = guests.filter((guest) => guest.state === "mounted");
    setText(byId("tile-mounted"), `${mounted.length} of ${guests.length}`);
    setText(byId("tile-mounted-note"), plural(mounted.filter((guest) => guest.coherent).length, "is coherent", "are coherent"));
    const rates = guests.map((guest) => guest.rate).filter((value) => value !== null);
    setText(byId("tile-rate"), rates.length ? rate(rates.reduce((sum, value) => sum + value, 0)) : unknown);
    setText(byId("tile-rate-note"), `${compact(guests.reduce((sum, guest) => sum + number(guest.requests), 0))} since the start`);
    this.#slowestTile(guests);
    this.#errorsTile(guests);
    this.#staleTile(guests);
    const oldest = greatest(guests.filter((guest) => guest.coherent && guest.heartbeatAge !== null), (guest) => guest.heartbeatAge);
    setText(byId("tile-heartbeat"), latency(oldest?.heartbeatAge ?? null));
    setText(byId("tile-heartbeat-note"), oldest ? `${oldest.name}, bound ${latency(oldest.heartbeatBound)}` : "no guest is coherent");
    byId("tile-heartbeat-box").dataset.level = guests.some(isLate) ? "bad" : "";
  }

  #slowestTile(guests) {
    const slowest = greatest(guests.filter((guest) => guest.lately.p99 !== null), orders.p99);
    setText(byId("tile-slowest"), latency(slowest?.lately.p99 ?? null));
    setText(byId("tile-slowest-note"), slowest ? slowest.name : "no requests");
  }

  #errorsTile(guests) {
    const failed = guests.reduce((sum, guest) => sum + (guest.lately.failed ?? 0), 0);
    const most = greatest(guests, orders.errors);
    setText(byId("tile-errors"), this.#activity.span ? count(failed) : unknown);
    setText(byId("tile-errors-note"), failed ? `most: ${most.name}` : "");
    byId("tile-errors-box").dataset.level = failed ? "warn" : "";
  }

  #staleTile(guests) {
    const counted = guests.filter((guest) => guest.stale !== null);
    const sum = (some) => some.reduce((all, guest) => all + guest.stale, 0);
    const stale = sum(counted);
    const believed = sum(counted.filter((guest) => !guest.coherent));
    setText(byId("tile-stale"), counted.length ? count(stale) : unknown);
    setText(byId("tile-stale-note"), believed ? `${count(believed)} may still be believed` : stale ? "asked for again before use" : "");
    byId("tile-stale-box").dataset.level = believed ? "warn" : "";
    if (believed && !this.#staleBelieved) {
      announce(`${plural(believed, "stale entry", "stale entries")} may still be believed by guests without a version table.`);
    }

    this.#staleBelieved = believed;
  }

  #tellChanges(guests) {
    const changed = guests.filter((guest) => this.#states.has(guest.name) && this.#states.get(guest.name) !== guest.state);
    if (changed.length) {
      announce(changed.map((guest) => `${guest.name} is now ${words[guest.state].toLowerCase()}.`).join(" "));
    }

    this.#states = new Map(guests.map((guest) => [guest.name, guest.state]));
  }
}

const isLate = (guest) => guest.coherent && guest.heartbeatAge > guest.heartbeatBound;

const greatest = (guests, value) => guests.reduce((most, guest) => (most === null || value(guest) > value(most) ? guest : most), null);

/** A guest of a coherent share that does not consult its table is treated as with --cache auto. */
function caching(guest) {
  if (guest.coherent) {
    return "coherent";
  }

  return guest.state === "mounted" ? `timeouts (${guest.cache === "coherent" ? "auto" : guest.cache})` : `configured: ${guest.cache}`;
}

function updateHeartbeat(cell, guest) {
  setText(cell, latency(guest.heartbeatAge) + (isLate(guest) ? " (late)" : ""));
  cell.classList.toggle("late", isLate(guest));
}

function sinceWhen(guest) {
  return [
    ...(guest.fuseVersion ? [`FUSE ${guest.fuseVersion}`] : []),
    ...(guest.connectedAt ? [`for ${duration((Date.now() - Date.parse(guest.connectedAt)) / 1000)}`] : []),
  ];
}
