/** What the page is doing, which step may follow which, and how long to wait before trying again. */

/** State -> event -> next state. An event that a state does not name has come too late and changes nothing. */
const NEXT = {
  idle: { start: "asking" },
  asking: { granted: "connecting", fail: "failed", stop: "idle" },
  connecting: { connected: "live", lose: "lost", fail: "failed", stop: "idle" },
  live: { restart: "connecting", lose: "lost", fail: "failed", stop: "idle" },
  lost: { retry: "connecting", fail: "failed", stop: "idle" },
  failed: { start: "asking", stop: "idle" },
};

const FIRST_WAIT_S = 0.5;
const LONGEST_WAIT_S = 10;

export class Machine {
  state = "idle";
  #changed;

  /** @param {(state: string, reason: string) => void} changed told of every change of state, and why */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Whether the event fitted; if so, the state has changed. */
  send(event, reason = "") {
    const next = NEXT[this.state][event];
    if (!next) return false;
    this.state = next;
    this.#changed(next, reason);
    return true;
  }
}

/** Seconds before the attempt with this number, from 0: 0.5, 1, 2, 4, 8, then 10. */
export function waitBefore(attempt) {
  return Math.min(FIRST_WAIT_S * 2 ** attempt, LONGEST_WAIT_S);
}
