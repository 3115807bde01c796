/** What the server measures of the session. */

import { percent } from "./labels.js";

const DASH = "–";

/** Show the statistics of a state message; `null` clears them. */
export function showStatistics(state) {
  for (const place of document.querySelectorAll("[data-statistic]")) {
    place.textContent = state ? SHORT[place.dataset.statistic](state) : DASH;
  }
  const table = document.getElementById("more-statistics");
  if (state && !table.closest("details").open) return; // ten times a second, for nobody
  table.replaceChildren(...(state ? rowsOf(state) : []));
}

/** Show how many clients watch the session, where any does. */
export function showViewers(count) {
  const place = document.getElementById("viewers");
  const text = count === 1 ? "1 person watches" : `${count} people watch`;
  place.hidden = count === 0;
  if (place.textContent !== text) place.textContent = text; // screen readers would tell it ten times a second
}

const SHORT = {
  fps: ({ fps_out }) => `${fps_out.toFixed(0)} fps`,
  latency: ({ recent_latency_ms }) => milliseconds(recent_latency_ms),
  resolution: ({ size: [width, height] }) => `${width} × ${height}`,
  quality: ({ level, levels }) => (level === 0 ? "Full" : `Reduced, step ${level} of ${levels - 1}`),
};

function rowsOf(state) {
  const { quality } = state;
  const rows = [
    ["Frame rate in", `${state.fps_in.toFixed(1)} fps`],
    ["Frame rate out", `${state.fps_out.toFixed(1)} fps`],
    ["Latency, median", milliseconds(state.latency_ms.p50)],
    ["Latency, 95th percentile", milliseconds(state.latency_ms.p95)],
    ["Latency, 99th percentile", milliseconds(state.latency_ms.p99)],
    ["Face analyses, at most", `${quality.rate_hz} Hz`],
    ["Emotion net", quality.net],
    ["Monte Carlo passes", `${quality.passes}`],
    ["Rendered size", percent(quality.scale)],
    ...Object.entries(state.stage_ms).map(([stage, time]) => [`Time to ${stage}`, milliseconds(time)]),
    ...Object.entries(state.drops).map(([reason, count]) => [`Dropped frames: ${reason}`, `${count}`]),
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
