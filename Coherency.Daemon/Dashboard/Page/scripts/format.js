// How values look. What is not known is an en dash.

export const unknown = "\u2013";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? unknown : whole.format(value));

export const compact = (value) => (value < 10_000 ? whole.format(value) : short.format(value));

/** Requests or moves per second: fractions only where they matter. */
export function rate(value) {
  if (value === null || value === undefined) {
    return unknown;
  }

  return value > 0 && value < 10 ? value.toFixed(1) : whole.format(value);
}

export const ratio = (value) => (value === null || value === undefined ? unknown : percent.format(value));

export function milliseconds(value) {
  if (value === null || value === undefined) {
    return unknown;
  }

  if (value < 1) {
    return `${whole.format(value * 1000)}\u00a0\u00b5s`;
  }

  return value < 1000 ? `${value < 10 ? value.toFixed(1) : whole.format(value)}\u00a0ms` : `${(value / 1000).toFixed(1)}\u00a0s`;
}

/** Of seconds: how long requests take. */
export const latency = (value) => milliseconds(value === null ? null : value * 1000);

/** A length of time, in the two units that say most. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) {
    return `${s}\u00a0s`;
  }

  if (s < 3600) {
    return `${Math.floor(s / 60)}\u00a0min ${s % 60}\u00a0s`;
  }

  return s < 86_400
    ? `${Math.floor(s / 3600)}\u00a0h ${Math.floor((s % 3600) / 60)}\u00a0min`
    : `${Math.floor(s / 86_400)}\u00a0d ${Math.floor((s % 86_400) / 3600)}\u00a0h`;
}

export const clock = (date) => date.toLocaleTimeString("en", { hour12: false });

export const plural = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;
