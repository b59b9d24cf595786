// Asks the daemon for everything that the page shows, again and again: once a second while the page is visible, less often
// while the daemon does not answer, and each thing less often when its answers take long.

const tick = 1000;
const patience = 10_000;
const longestWait = 15_000;

/** An answer that takes T milliseconds is asked for again after at least this many T: at most 5 % of the daemon's time. */
const restAfterAnswer = 20;

class SessionEnded extends Error {}

export class Feed {
  #sources;
  #report;
  #timer = 0;
  #cycle = null;
  #failures = 0;
  #paused = false;

  /**
   * @param sources `{ path, receive, missing }`: where to ask (null: not now), and what to do with an answer or a refusal.
   * @param report Called with "live", "lost" and the wait in milliseconds, "ended" (not signed in any more), or "paused".
   */
  constructor(sources, report) {
    this.#sources = sources.map((source) => ({ ...source, due: 0, taken: 0 }));
    this.#report = report;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        this.#stop();
      } else if (!this.#paused) {
        this.refresh();
      }
    });
  }

  get paused() {
    return this.#paused;
  }

  pause() {
    this.#paused = true;
    this.#stop();
    this.#report("paused");
  }

  resume() {
    this.#paused = false;
    this.refresh();
  }

  /** Asks for everything at once; what is under way is given up. */
  refresh() {
    this.#stop();
    for (const source of this.#sources) {
      source.due = 0;
    }

    this.#run();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#cycle?.abort();
    this.#cycle = null;
  }

  #after(milliseconds) {
    clearTimeout(this.#timer);
    if (!this.#paused && !document.hidden) {
      this.#timer = setTimeout(() => this.#run(), milliseconds);
    }
  }

  async #run() {
    const cycle = (this.#cycle = new AbortController());
    const timeout = setTimeout(() => cycle.abort(), patience);
    let answers = null;
    let ended = false;
    try {
      const now = performance.now();
      answers = await Promise.all(this.#sources.filter((source) => source.due <= now).map((source) => ask(source, cycle.signal)));
    } catch (error) {
      ended = error instanceof SessionEnded;
    }

    clearTimeout(timeout);
    if (cycle !== this.#cycle) {
      return;
    }

    cycle.abort();
    if (answers !== null) {
      this.#failures = 0;
      this.#after(tick);
      answers.forEach((deliver) => deliver());
      this.#report(this.#paused ? "paused" : "live");
    } else if (ended) {
      this.#report("ended");
    } else {
      const wait = Math.min(longestWait, tick * 2 ** this.#failures++);
      this.#after(wait);
      this.#report("lost", wait);
    }
  }
}

/** Returns what to do with the answer. */
async function ask(source, signal) {
  const path = source.path();
  if (path === null) {
    return () => {};
  }

  const begun = performance.now();
  const response = await fetch(path, { signal, cache: "no-store" });
  if (response.status === 401) {
    throw new SessionEnded();
  }

  const body = await (response.ok ? response.json() : response.text());
  if (response.status >= 500) {
    throw new Error(body);
  }

  // One slow answer is an accident, as the first is; two in a row say that the question is a heavy one.
  const taken = performance.now() - begun;
  source.due = begun + Math.max(tick / 2, restAfterAnswer * Math.min(taken, source.taken));
  source.taken = taken;
  return () => (response.ok ? source.receive(body) : source.missing?.(body));
}
