/** How the picture runs, by the figures that the server measures. */

import { percent } from "./words.js";

const DASH = "–";

/** Show the figures of a state message; `null` clears them. */
export function showFigures(state) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    place.textContent = state ? SHORT[place.dataset.figure](state) : DASH;
  }
  const table = document.getElementById("more-figures");
  if (state && !table.closest("details").open) return;
  table.replaceChildren(...(state ? rowsOf(state) : []));
}

const SHORT = {
  fps: ({ fps_out }) => fps_out.toFixed(0),
  latency: ({ recent_latency_ms }) => milliseconds(recent_latency_ms),
  size: ({ size: [width, height] }) => `${width} × ${height}`,
  level: ({ level, levels }) => (level === 0 ? "full" : `${level} of ${levels - 1} steps down`),
};

function rowsOf(state) {
  const { quality } = state;
  const rows = [
    ["Pictures in, a second", state.fps_in.toFixed(1)],
    ["Pictures out, a second", state.fps_out.toFixed(1)],
    ["Delay, half below", milliseconds(state.latency_ms.p50)],
    ["Delay, 95 of 100 below", milliseconds(state.latency_ms.p95)],
    ["Delay, 99 of 100 below", milliseconds(state.latency_ms.p99)],
    ["Looks a second, at most", `${quality.rate_hz}`],
    ["Net, passes", `${quality.net}, ${quality.passes}`],
    ["Worked on at", percent(quality.scale)],
    ...Object.entries(state.stage_ms).map(([stage, time]) => [`Time to ${stage}`, milliseconds(time)]),
    ...Object.entries(state.drops).map(([reason, count]) => [`Dropped: ${reason}`, `${count}`]),
  ];
  return rows.map(([term, value]) => {
    const row = document.createElement("div");
    row.append(cell("dt", term), cell("dd", value));
    return row;
  });
}

const milliseconds = (value) => (value == null ? DASH : `${value.toFixed(value < 10 ? 1 : 0)} ms`);

function cell(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
