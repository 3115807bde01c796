/** The last minute of one face, and drawing it. */

import { percent } from "./words.js";

export const SECONDS = 60;
/** Four columns a second: what is drawn moves by whole columns, so nothing shimmers. */
export const COLUMNS = 240;
const STEP = SECONDS / COLUMNS;
/** Where no message comes for a moment, what was seen last is held for up to so many columns. */
const HELD = 4;
/** How much of its colour a face of no certainty keeps. */
const FAINTEST = 0.3;

export class Timeline {
  #columns = new Map();

  /**
   * Take what was seen at a time.
   *
   * @param {number} time in seconds, on any clock that goes on evenly
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
   * What was seen up to a time, oldest first, as `{from, to, parts, certainty}`: columns from 0, the oldest, up to
   * `COLUMNS`, where the column of that time ends.
   */
  stretches(time) {
    const oldest = Math.floor(time / STEP) - COLUMNS + 1;
    const all = [...this.#columns];
    return all.flatMap(([index, { sums, certainty, count }], k) => {
      const from = index - oldest;
      const next = k + 1 < all.length ? all[k + 1][0] - oldest : COLUMNS;
      const to = Math.min(next, from + HELD, COLUMNS);
      return from < 0 ? [] : [{ from, to, parts: sums.map((sum) => sum / count), certainty: certainty / count }];
    });
  }

  /** The mean probabilities over the minute before a time; `null` where nothing was seen. */
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
 * Draw a minute: at each time the parts one on the other, the paler the less certain.
 *
 * @param {HTMLCanvasElement} canvas drawn at the size that it is shown in
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
  const edge = (place) => Math.round((place * width) / COLUMNS);
  for (const { from, to, parts, certainty } of stretches) {
    context.globalAlpha = FAINTEST + (1 - FAINTEST) * certainty;
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
