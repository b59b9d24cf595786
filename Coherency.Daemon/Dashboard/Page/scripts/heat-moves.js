// Which runs of slots moved: the differences between the sums of versions of two answers. The versions themselves say nothing,
// for a table begins with any.

/** Answers that differences are taken over. */
const windowSeconds = 10;

/** Least number of moves for each colour: none since the page was opened, none lately, then these. */
const thresholds = [1, 2, 4, 16, 64];

export const levels = ["none since opened", "earlier", "1", "2\u20133", "4\u201315", "16\u201363", "64 or more"];

export class HeatMoves {
  #answers = [];
  #first = null;

  /** Forgets everything when the table is another one. */
  receive(heat, now) {
    const last = this.#answers.at(-1);
    if (last && (last.heat.length !== heat.length || heat.some((sum, index) => sum < last.heat[index]))) {
      this.clear();
    }

    this.#first ??= heat;
    this.#answers.push({ heat, now });
    while (this.#answers.length > 2 && this.#answers[1].now <= now - windowSeconds * 1000) {
      this.#answers.shift();
    }
  }

  clear() {
    this.#answers = [];
    this.#first = null;
  }

  get length() {
    return this.#answers.at(-1)?.heat.length ?? 0;
  }

  /** Moves of a run within the window. */
  lately(index) {
    return this.#answers.at(-1).heat[index] - this.#answers[0].heat[index];
  }

  /** Moves of a run since the page was opened, or the table chosen. */
  sinceOpened(index) {
    return this.#answers.at(-1).heat[index] - this.#first[index];
  }

  /** Index into `levels`. */
  level(index) {
    const moves = this.lately(index);
    if (moves === 0) {
      return this.sinceOpened(index) === 0 ? 0 : 1;
    }

    return 1 + thresholds.filter((least) => moves >= least).length;
  }

  /** The runs that moved most, most first. */
  busiest(most) {
    return Array.from({ length: this.length }, (_, index) => ({ index, moves: this.lately(index) }))
      .filter((run) => run.moves > 0)
      .sort((one, other) => other.moves - one.moves || one.index - other.index)
      .slice(0, most);
  }
}
