// The table of guests, and the tiles that sum it up.

import { announce } from "./announce.js";
import { byId, element, reconcile, setText, stackingRow, svg } from "./dom.js";
import { compact, count, duration, milliseconds, plural, rate, ratio, unknown } from "./format.js";
import { sparkline } from "./sparkline.js";

const columns = [
  ["State"], ["Cache"], ["Requests/s", "number"], ["Hit ratio", "number"],
  ["Inodes held", "number"], ["Heartbeat age", "number"], ["Stale now", "number"],
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

export class Guests {
  #rates;
  #onTable;
  #onStale;
  #states = new Map();
  #staleBelieved = 0;

  /** @param onTable Called with the name of a guest whose table is to be shown; `onStale` likewise. */
  constructor(rates, onTable, onStale) {
    this.#rates = rates;
    this.#onTable = onTable;
    this.#onStale = onStale;
  }

  /** The last answer. */
  list = [];

  receive(guests) {
    this.list = guests;
    reconcile(byId("guest-rows"), guests, (guest) => guest.name, (guest) => this.#row(guest), (row, guest) => this.#update(row, guest));
    byId("guests-empty").hidden = guests.length > 0;
    this.#tiles(guests);
    this.#tellChanges(guests);
  }

  #row(guest) {
    const row = stackingRow(columns);
    const name = element("button", { type: "button", class: "row-button" }, guest.name);
    name.addEventListener("click", () => this.#onTable(guest.name));
    row.cells[0].append(name, element("span", { class: "sub" }));
    row.cells[1].append(element("span", { class: "state" }, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path")), element("span")));
    row.cells[2].append(element("span", {}, element("span"), element("span", { class: "sub" })));
    row.cells[3].append(element("span", { class: "with-spark" }, sparkline(), element("span")));
    return row;
  }

  #update(row, guest) {
    const [header, state, cache, requests, hits, inodes, heartbeat, stale] = row.cells;
    const button = header.firstChild;
    button.disabled = !guest.hasTable;
    setText(header.lastChild, guest.kind === "mount" ? `${guest.share} on ${guest.socket}` : guest.share);
    const badge = state.firstChild;
    badge.dataset.state = guest.state;
    badge.firstChild.firstChild.setAttribute("d", shapes[guest.state]);
    setText(badge.lastChild, words[guest.state]);
    setText(cache.firstChild.firstChild, caching(guest));
    setText(cache.firstChild.lastChild, sinceWhen(guest));
    sparkline.draw(requests.querySelector("svg"), this.#rates.of(guest.name));
    setText(requests.firstChild.lastChild, rate(this.#rates.now(guest.name)));
    setText(hits, guest.hitRatio === null ? "not known" : ratio(guest.hitRatio));
    setText(inodes, count(guest.inodes));
    updateHeartbeat(heartbeat, guest);
    this.#updateStale(stale, guest);
  }

  #updateStale(cell, guest) {
    if (!guest.staleEntries) {
      setText(cell, count(guest.staleEntries));
      return;
    }

    if (!cell.querySelector("button")) {
      const button = element("button", { type: "button", class: "row-button" });
      button.addEventListener("click", () => this.#onStale(guest.name));
      cell.replaceChildren(button);
    }

    setText(cell.firstChild, count(guest.staleEntries));
    cell.firstChild.setAttribute("aria-label", `${plural(guest.staleEntries, "stale entry", "stale entries")} of ${guest.name}: show`);
  }

  #tiles(guests) {
    const mounted = guests.filter((guest) => guest.state === "mounted");
    setText(byId("tile-mounted"), `${mounted.length} of ${guests.length}`);
    setText(byId("tile-mounted-note"), plural(mounted.filter((guest) => guest.coherent).length, "is coherent", "are coherent"));
    const rates = guests.map((guest) => this.#rates.now(guest.name)).filter((value) => value !== null);
    setText(byId("tile-rate"), rates.length ? rate(rates.reduce((sum, value) => sum + value, 0)) : unknown);
    setText(byId("tile-rate-note"), `${compact(guests.reduce((sum, guest) => sum + guest.requests, 0))} since the start`);
    this.#staleTile(guests);
    const beats = guests.filter((guest) => guest.coherent && guest.heartbeatAgeMs !== null);
    const oldest = beats.reduce((worst, guest) => (worst === null || guest.heartbeatAgeMs > worst.heartbeatAgeMs ? guest : worst), null);
    setText(byId("tile-heartbeat"), milliseconds(oldest?.heartbeatAgeMs));
    setText(byId("tile-heartbeat-note"), oldest ? `${oldest.name}, bound ${milliseconds(oldest.heartbeatBoundMs)}` : "no guest is coherent");
    byId("tile-heartbeat-box").dataset.level = beats.some(isLate) ? "bad" : "";
  }

  #staleTile(guests) {
    const counted = guests.filter((guest) => guest.staleEntries !== null);
    const stale = counted.reduce((sum, guest) => sum + guest.staleEntries, 0);
    const believed = counted.filter((guest) => !guest.coherent).reduce((sum, guest) => sum + guest.staleEntries, 0);
    setText(byId("tile-stale"), counted.length ? count(stale) : unknown);
    setText(byId("tile-stale-note"), believed ? `${count(believed)} may still be believed` : stale ? "none is believed" : "");
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

const isLate = (guest) => guest.coherent && guest.heartbeatAgeMs > guest.heartbeatBoundMs;

/** A guest of a coherent share that does not consult its table is treated as with --cache auto. */
function caching(guest) {
  if (guest.coherent) {
    return "Coherent";
  }

  return guest.state === "mounted" ? `Timeouts (${guest.cache === "coherent" ? "auto" : guest.cache})` : `Configured: ${guest.cache}`;
}

function updateHeartbeat(cell, guest) {
  setText(cell, guest.heartbeatAgeMs === null ? unknown : milliseconds(guest.heartbeatAgeMs) + (isLate(guest) ? " (late)" : ""));
  cell.classList.toggle("late", isLate(guest));
}

function sinceWhen(guest) {
  const parts = [];
  if (guest.fuseVersion) {
    parts.push(`FUSE ${guest.fuseVersion}`);
  }

  if (guest.connectedAt) {
    parts.push(`for ${duration((Date.now() - Date.parse(guest.connectedAt)) / 1000)}`);
  }

  return parts.join(", ");
}
