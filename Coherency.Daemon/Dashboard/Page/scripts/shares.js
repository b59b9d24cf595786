// The shares, and how their changes on the host are noticed.

import { byId, element, reconcile, setText, stackingRow } from "./dom.js";
import { count, latency } from "./format.js";
import { number, seconds, word } from "./message.js";

const columns = [
  ["Watched by"], ["Delay, p50", "number"], ["Delay, p99", "number"], ["Host changes", "number"],
  ["Events lost", "number"], ["Inodes", "number"], ["Descriptors", "number"],
];

const watchers = { fanotify: "fanotify", inotify: "inotify", none: "Not watched" };

export function receiveShares(shares) {
  reconcile(byId("share-rows"), shares, (share) => share.directory, makeRow, update);
}

function makeRow() {
  const row = stackingRow(columns);
  row.cells[0].append(element("span", { class: "path" }), element("span", { class: "sub" }));
  row.cells[1].append(element("span", {}, element("span"), element("span", { class: "sub" })));
  return row;
}

function update(row, share) {
  const [directory, watch, median, late, changes, lost, inodes, descriptors] = row.cells;
  const watcher = word(share.hostWatch, "HOST_WATCH_");
  setText(directory.firstChild, share.directory);
  setText(directory.lastChild, `tag ${share.tag}${share.readonly ? ", read-only" : ""}`);
  setText(watch.firstChild.firstChild, watchers[watcher]);
  setText(watch.firstChild.lastChild, watcher === "none" ? "host changes are not seen" : "");
  watch.classList.toggle("late", watcher === "none");
  setText(median, latency(seconds(share.watchDelayMedian)));
  setText(late, latency(seconds(share.watchDelayP99)));
  setText(changes, count(number(share.hostChanges)));
  setText(lost, count(number(share.eventsLost)));
  lost.classList.toggle("late", number(share.eventsLost) > 0);
  setText(inodes, count(number(share.inodes)));
  setText(descriptors, count(number(share.descriptors)));
}
