// What guests did lately: the differences between the counts of the answers of the last minute, or since the page was opened.

import { number } from "./message.js";

const windowSeconds = 60;

/** Answers between which nothing is looked up need not be kept. */
const spacingSeconds = 5;

export class Activity {
  #answers = [];
  #bounds = [];

  /** @param answer ListGuestsResponse with operations. */
  receive(answer) {
    this.#bounds = answer.durationBoundsSeconds;
    const at = Date.parse(answer.at) / 1000;
    const guests = new Map(answer.guests.map((guest) => [guest.name, {
      requests: number(guest.requests), failed: number(guest.failedRequests), operations: countsOf(guest),
    }]));
    // A daemon that was started again counts from zero.
    if ([...guests].some(([name, { requests }]) => requests < this.#answers.at(-1)?.guests.get(name)?.requests)) {
      this.#answers = [];
    }

    const newest = this.#answers.at(-1);
    if (newest && this.#answers.length > 1 && newest.at - this.#answers.at(-2).at < spacingSeconds) {
      this.#answers.pop();
    }

    this.#answers.push({ at, guests });
    while (this.#answers.length > 2 && this.#answers[1].at <= at - windowSeconds) {
      this.#answers.shift();
    }
  }

  /** How long the time is that everything here is about; 0 before the second answer. */
  get span() {
    return this.#answers.length > 1 ? this.#answers.at(-1).at - this.#answers[0].at : 0;
  }

  /** Of one guest: its failed requests, and the time that 50 and 99 of 100 requests took at most; null where nothing is known. */
  of(guest) {
    const durations = sum(this.operations(guest).map((operation) => operation.durations));
    const [before, now] = this.#ends(guest);
    return {
      failed: before && now ? Math.max(0, now.failed - before.failed) : null,
      p50: quantile(this.#bounds, durations, 0.5),
      p99: quantile(this.#bounds, durations, 0.99),
    };
  }

  /** What was asked for of one guest, or of all ("") together, what took most of the time first. */
  operations(guest) {
    const names = guest ? [guest] : [...(this.#answers.at(-1)?.guests.keys() ?? [])];
    const byName = Map.groupBy(names.flatMap((name) => this.#changes(name)), (operation) => operation.name);
    return [...byName].map(([name, parts]) => {
      const durations = sum(parts.map((part) => part.durations));
      const errors = new Map();
      parts.flatMap((part) => [...part.errors]).forEach(([error, count]) => errors.set(error, (errors.get(error) ?? 0) + count));
      return {
        name,
        requests: total(parts.map((part) => part.requests)),
        seconds: total(parts.map((part) => part.seconds)),
        errors: [...errors].sort((one, other) => other[1] - one[1]),
        durations,
        p50: quantile(this.#bounds, durations, 0.5),
        p99: quantile(this.#bounds, durations, 0.99),
      };
    }).sort((one, other) => other.seconds - one.seconds || one.name.localeCompare(other.name));
  }

  #ends(guest) {
    return this.#answers.length > 1 ? [this.#answers[0].guests.get(guest), this.#answers.at(-1).guests.get(guest)] : [];
  }

  #changes(guest) {
    const [before, now] = this.#ends(guest);
    return now && before ? [...now.operations].map(([name, counts]) => change(name, before.operations.get(name), counts)).filter((operation) => operation.requests > 0) : [];
  }
}

function countsOf(guest) {
  return new Map(guest.operations.map((operation) => [operation.name, {
    requests: number(operation.requests),
    seconds: operation.totalSeconds,
    durations: operation.durations.map(Number),
    errors: new Map(operation.errors.map((error) => [error.name, number(error.count)])),
  }]));
}

function change(name, before, now) {
  const errors = [...now.errors].map(([error, count]) => [error, count - (before?.errors.get(error) ?? 0)]);
  return {
    name,
    requests: now.requests - (before?.requests ?? 0),
    seconds: Math.max(0, now.seconds - (before?.seconds ?? 0)),
    durations: now.durations.map((count, index) => Math.max(0, count - (before?.durations[index] ?? 0))),
    errors: errors.filter(([, count]) => count > 0),
  };
}

const total = (values) => values.reduce((all, value) => all + value, 0);

const sum = (lists) => (lists.length ? lists[0].map((_, index) => total(lists.map((list) => list[index]))) : []);

/** As Prometheus' histogram_quantile has it: within a bucket, requests count as spread evenly. Null of nothing. */
function quantile(bounds, counts, part) {
  const rank = part * total(counts);
  let seen = 0;
  for (let index = 0; rank > 0 && index < counts.length; index++) {
    seen += counts[index];
    if (seen >= rank) {
      const lower = index === 0 ? 0 : bounds[index - 1];
      const upper = bounds[index] ?? lower;
      return lower + (upper - lower) * (1 - (seen - rank) / counts[index]);
    }
  }

  return null;
}
