// The shares, and how their changes on the host are noticed.

import { byId, element, reconcile, setText, stackingRow } from "./dom.js";
import { count, milliseconds, unknown } from "./format.js";

const columns = [
  ["Watched by"], ["Delay, p50", "number"], ["Delay, p99", "number"], ["Host changes", "number"],
  ["Events lost", "number"], ["Inodes", "number"], ["Descriptors", "number"],
];

const watchers = { fanotify: "fanotify", inotify: "inotify", none: "Not watched" };

export function receiveShares(shares) {
  reconcile(byId("share-rows"), shares, (share) => share.directory, makeRow, update);
  const known = shares.filter((share) => share.delayP99Ms !== null);
  const slowest = known.reduce((worst, share) => (worst === null || share.delayP99Ms > worst.delayP99Ms ? share : worst), null);
  setText(byId("tile-delay"), slowest ? milliseconds(slowest.delayP99Ms) : unknown);
  setText(byId("tile-delay-note"), note(shares, slowest));
}

function makeRow() {
  const row = stackingRow(columns);
  row.cells[0].append(element("span", { class: "path" }), element("span", { class: "sub" }));
  row.cells[1].append(element("span", {}, element("span"), element("span", { class: "sub" })));
  return row;
}

function update(row, share) {
  const [directory, watch, median, late, changes, lost, inodes, descriptors] = row.cells;
  setText(directory.firstChild, share.directory);
  setText(directory.lastChild, `tag ${share.tag}${share.readonly ? ", read-only" : ""}`);
  setText(watch.firstChild.firstChild, watchers[share.hostWatch]);
  setText(watch.firstChild.lastChild, share.hostWatch === "none" ? "host changes are not seen" : "");
  setText(median, milliseconds(share.delayMedianMs));
  setText(late, milliseconds(share.delayP99Ms));
  setText(changes, count(share.hostChanges));
  setText(lost, count(share.eventsLost));
  lost.classList.toggle("late", share.eventsLost > 0);
  setText(inodes, count(share.inodes));
  setText(descriptors, count(share.descriptors));
}

function note(shares, slowest) {
  const unwatched = shares.filter((share) => share.hostWatch === "none").length;
  if (unwatched > 0) {
    return unwatched === shares.length ? "not watched" : `${unwatched} of ${shares.length} shares not watched`;
  }

  return slowest ? slowest.hostWatch : "no change yet";
}
