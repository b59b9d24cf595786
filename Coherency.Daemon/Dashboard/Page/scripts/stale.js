// What guests hold that is no longer true, a page at a time.

import { byId, element, reconcile, setOptions, setText, stackingRow } from "./dom.js";
import { clock, count, duration } from "./format.js";
import { word } from "./message.js";

const columns = [["Path", "path"], ["Kind"], ["Stale for"], ["Made stale by"]];

const kinds = {
  dentry: "Name", negative_dentry: "Absent name", attributes: "Attributes", symlink: "Link target", directory: "Directory listing",
};

export class Stale {
  #guest = byId("stale-guest");
  #first = byId("stale-first");
  #next = byId("stale-next");
  #after = "";
  #page = 1;
  #following = "";
  #changed;

  /** @param changed Called when another page is to be asked for. */
  constructor(changed) {
    this.#changed = changed;
    this.#guest.addEventListener("change", () => this.#go("", 1));
    this.#first.addEventListener("click", () => this.#go("", 1));
    this.#next.addEventListener("click", () => this.#go(this.#following, this.#page + 1));
  }

  get path() {
    return `/api/stale?${new URLSearchParams({ guest: this.#guest.value, after: this.#after })}`;
  }

  /** Offers the guests of which it is recorded what they hold. */
  offer(guests) {
    setOptions(this.#guest, guests.filter((guest) => guest.staleEntries !== undefined).map((guest) => guest.name), 1);
  }

  show(guest) {
    this.#guest.value = guest;
    this.#go("", 1);
    byId("stale").scrollIntoView();
    this.#guest.focus({ preventScroll: true });
  }

  /** The guest or the place in the list is gone: back to the beginning. There, the list itself is refused. */
  missing(why) {
    if (this.#guest.value || this.#after) {
      this.#guest.value = "";
      this.#go("", 1);
    } else {
      this.#show([], "", 0, why);
    }
  }

  receive(answer) {
    this.#show(answer.entries, answer.nextPageToken, Date.parse(answer.at), this.#page === 1 ? "Nothing that a guest holds is stale." : "There are no more.");
  }

  #show(entries, next, now, empty) {
    reconcile(byId("stale-rows"), entries, keyOf, () => this.#row(), (row, entry) => update(row, entry, now));
    byId("stale-empty").hidden = entries.length > 0;
    setText(byId("stale-empty"), empty);
    this.#following = next;
    this.#first.disabled = this.#page === 1;
    this.#next.disabled = !next;
    byId("stale-pager").hidden = this.#page === 1 && !next;
    setText(byId("stale-page"), `Page ${count(this.#page)}`);
  }

  #row() {
    const row = stackingRow(columns);
    row.cells[3].append(element("time"));
    row.cells[4].append(element("span", {}, element("span"), element("span", { class: "sub" })));
    return row;
  }

  #go(after, page) {
    this.#after = after;
    this.#page = page;
    this.#changed();
  }
}

const keyOf = (entry) => JSON.stringify([entry.guest, entry.nodeId, entry.kind, entry.path]);

function update(row, entry, now) {
  const [guest, path, kind, since, cause] = row.cells;
  setText(guest, entry.guest);
  setText(path, entry.path || "/");
  setText(kind, kinds[word(entry.kind, "ENTRY_KIND_")]);
  const time = since.firstChild;
  time.dateTime = entry.since;
  time.title = new Date(entry.since).toLocaleString("en");
  setText(time, (entry.cause.operation ? "" : "at least ") + duration((now - Date.parse(entry.since)) / 1000));
  setText(cause.firstChild.firstChild, who(entry.cause));
  setText(cause.firstChild.lastChild, what(entry));
}

function who({ operation, actor }) {
  if (!operation) {
    return "No longer known";
  }

  if (actor?.guest !== undefined) {
    return actor.guest;
  }

  if (actor?.host !== undefined) {
    return actor.host.pid ? `${actor.host.command || "a program"} (host, pid ${actor.host.pid})` : "A program of the host";
  }

  if (actor?.admin !== undefined) {
    return actor.admin ? `Administration (${actor.admin})` : "Administration";
  }

  return actor?.daemon === undefined ? "Not told by the kernel" : actor.daemon ? `The daemon: ${actor.daemon}` : "The daemon";
}

function what({ cause, falseSharing }) {
  const parts = [];
  if (cause.operation) {
    parts.push(cause.path ? `${cause.operation} of ${cause.path}` : cause.operation);
    parts.push(`at ${clock(new Date(cause.at))}`);
  }

  if (falseSharing) {
    parts.push("only shares the slot");
  }

  return parts.join(", ");
}
