// What screen readers say without being asked: seldom, and only what matters.

import { byId } from "./dom.js";

const between = 10_000;
let last = -Infinity;
let waiting = 0;

/** Says the sentence; of several within ten seconds, the first and the last. */
export function announce(sentence) {
  clearTimeout(waiting);
  const wait = last + between - performance.now();
  if (wait > 0) {
    waiting = setTimeout(() => say(sentence), wait);
  } else {
    say(sentence);
  }
}

function say(sentence) {
  last = performance.now();
  byId("announcements").textContent = sentence;
}
