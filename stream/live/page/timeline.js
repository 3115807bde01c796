/** The last minute of one face: kept, summed up in words, drawn. */

import { percent } from "./labels.js";

export const SECONDS = 60;
/** Four columns per second. What is drawn moves by whole columns, so nothing shimmers. */
export const COLUMNS = 240;
const STEP = SECONDS / COLUMNS;
/** Where no message arrives for a moment, the latest values are shown for up to so many columns. */
const MAX_HOLD = 4;
/** Opacity where the certainty is 0. */
const MIN_OPACITY = 0.3;

export class Timeline {
  #columns = new Map();

  /**
   * Add the values at one time.
   *
   * @param {number} time in seconds, on a monotonic clock
   * @param {number[]} probabilities of the emotions, summing to one
   * @param {number} certainty in [0, 1]
   */
  add(time, probabilities, certainty) {
    const index = Math.floor(time / STEP);
    const column = this.#columns.get(index) ?? { sums: probabilities.map(() => 0), certainty: 0, count: 0 };
    probabilities.forEach((part, k) => (column.sums[k] += part));
    column.certainty += certainty;
    column.count += 1;
    this.#columns.set(index, column);
    for (const old of this.#columns.keys()) {
      if (old > index - COLUMNS) break;
      this.#columns.delete(old);
    }
  }

  /**
   * The minute up to a time, oldest first, as `{from, to, parts, certainty}`. Columns count from 0, the oldest, to
   * `COLUMNS`, the end of the column of that time; `parts` are the mean probabilities.
   */
  stretches(time) {
    const oldest = Math.floor(time / STEP) - COLUMNS + 1;
    const all = [...this.#columns];
    return all.flatMap(([index, { sums, certainty, count }], k) => {
      const from = index - oldest;
      const next = k + 1 < all.length ? all[k + 1][0] - oldest : COLUMNS;
      const to = Math.min(next, from + MAX_HOLD, COLUMNS);
      return from < 0 ? [] : [{ from, to, parts: sums.map((sum) => sum / count), certainty: certainty / count }];
    });
  }

  /** The mean probabilities over the minute before a time; `null` where the face was not seen. */
  mean(time) {
    const stretches = this.stretches(time);
    const columns = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
    if (!columns) return null;
    return stretches[0].parts.map(
      (_, k) => stretches.reduce((sum, { from, to, parts }) => sum + (to - from) * parts[k], 0) / columns,
    );
  }
}

/** A minute in words, such as "Last minute: mostly happy (71 %), then neutral (20 %)". */
export function inWords(mean, emotions) {
  if (!mean) return "Last minute: not seen";
  const [first, second] = mean.map((part, k) => [part, emotions[k]]).sort(([a], [b]) => b - a);
  const then = second[0] >= 0.1 ? `, then ${second[1]} (${percent(second[0])})` : "";
  return `Last minute: mostly ${first[1]} (${percent(first[0])})${then}`;
}

/**
 * Draw a minute: the probabilities of each column stacked, paler where they are less certain.
 *
 * @param {HTMLCanvasElement} canvas drawn at the resolution at which it is shown
 * @param {{from: number, to: number, parts: number[], certainty: number}[]} stretches
 * @param {string[]} colors of the emotions
 * @param {string} lines colour of the marks at 15, 30 and 45 seconds
 */
export function draw(canvas, stretches, colors, lines) {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  canvas.width = width; // clears it too
  canvas.height = height;
  const context = canvas.getContext("2d");
  const edge = (column) => Math.round((column * width) / COLUMNS);
  for (const { from, to, parts, certainty } of stretches) {
    context.globalAlpha = MIN_OPACITY + (1 - MIN_OPACITY) * certainty;
    let below = height;
    for (const k of [...parts.keys()].reverse()) {
      const tall = parts[k] * height;
      context.fillStyle = colors[k];
      context.fillRect(edge(from), below - tall, edge(to) - edge(from), tall);
      below -= tall;
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = lines;
  for (const quarter of [1, 2, 3]) context.fillRect(edge((quarter * COLUMNS) / 4), 0, 1, height);
}
