// Brings the parts of the page together.

import { Activity } from "./activity.js";
import { announce } from "./announce.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { clock, duration } from "./format.js";
import { Guests } from "./guests.js";
import { Heat } from "./heat.js";
import { Operations } from "./operations.js";
import { Rates } from "./rates.js";
import { signIn, takeToken } from "./session.js";
import { receiveShares } from "./shares.js";
import { Stale } from "./stale.js";

const states = { live: "Live", lost: "No answer", ended: "Signed out", paused: "Paused" };

const refresh = () => feed.paused ? feed.resume() : feed.refresh();
const rates = new Rates();
const heat = new Heat(refresh);
const stale = new Stale(refresh);
const activity = new Activity();
const operations = new Operations(activity);
const guests = new Guests(rates, activity, (name) => heat.show(name), (name) => stale.show(name));

const feed = new Feed(
  [
    { path: () => rates.path, receive: (answer) => rates.receive(answer) },
    { path: () => "/api/guests", receive: receiveGuests },
    { path: () => "/api/shares", receive: (answer) => receiveShares(answer.shares) },
    { path: () => heat.path, receive: (answer) => heat.receive(answer), missing: (message) => heat.missing(message) },
    { path: () => stale.path, receive: (answer) => stale.receive(answer), missing: (why) => stale.missing(why) },
  ],
  report);

function receiveGuests(answer) {
  const first = guests.list.length === 0 && answer.guests.length > 0;
  activity.receive(answer);
  guests.receive(answer.guests);
  operations.offer(answer.guests);
  operations.show();
  heat.offer(answer.guests);
  stale.offer(answer.guests);
  if (first) {
    feed.refresh();
  }
}

let shown = "connecting";

function report(state, wait = 0) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), states[state]);
  setText(byId("pause"), state === "paused" ? "Resume" : "Pause");
  byId("pause").disabled = state === "ended";
  byId("notice").hidden = state !== "lost" && state !== "ended";
  byId("retry").hidden = state === "ended";
  if (state === "live") {
    setText(byId("updated"), `Last answer at ${clock(new Date())}.`);
  } else if (state === "lost") {
    setText(byId("notice-text"), `The daemon does not answer; what is shown may be old. Asking again in ${duration(wait / 1000)}.`);
  } else if (state === "ended") {
    setText(byId("notice-text"), "The daemon has started again, and this page is signed out. Run \u201ccoherencyd admin dashboard\u201d and open the address that it prints.");
  }

  if (state !== shown && (state === "lost" || state === "ended")) {
    announce(byId("notice-text").textContent);
  } else if (state === "live" && (shown === "lost" || shown === "ended")) {
    announce("The daemon answers again.");
  }

  shown = state;
}

/** A new address may be opened in a tab that shows the page already. */
async function enter() {
  const token = takeToken();
  if (token !== null) {
    await signIn(token).catch(() => false);
    feed.refresh();
  }
}

byId("pause").addEventListener("click", () => (feed.paused ? feed.resume() : feed.pause()));
byId("retry").addEventListener("click", () => feed.refresh());
addEventListener("hashchange", enter);
feed.refresh();
