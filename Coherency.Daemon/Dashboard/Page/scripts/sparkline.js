// A line of the last minute beside a number; the number says what matters, so it is hidden from screen readers.

import { svg } from "./dom.js";

const width = 80;
const height = 24;
const seconds = 60;

export function sparkline() {
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, svg("polyline"));
}

sparkline.draw = (picture, values) => {
  const shown = values.slice(-seconds);
  const top = Math.max(1, ...shown.map((value) => value ?? 0));
  const points = shown.flatMap((value, index) => {
    const x = width - ((shown.length - 1 - index) * width) / (seconds - 1);
    return value === null ? [] : [`${x.toFixed(1)},${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`];
  });
  picture.firstChild.setAttribute("points", points.join(" "));
};
