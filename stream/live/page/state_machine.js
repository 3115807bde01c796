/** The states of a session, which event leads from one to the next, and the waits between attempts to reconnect. */

/** State -> event -> next state. An event that a state does not list comes too late and changes nothing. */
const NEXT = {
  idle: { start: "asking" },
  asking: { granted: "connecting", fail: "failed", stop: "idle" },
  connecting: { connected: "live", lose: "lost", fail: "failed", stop: "idle" },
  live: { restart: "connecting", lose: "lost", fail: "failed", stop: "idle" },
  lost: { retry: "connecting", fail: "failed", stop: "idle" },
  failed: { start: "asking", stop: "idle" },
};

const FIRST_WAIT_S = 0.5;
const MAX_WAIT_S = 10;

export class StateMachine {
  state = "idle";
  #changed;

  /** @param {(state: string, reason: string) => void} changed called at every change of state */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Returns whether the state has changed. */
  send(event, reason = "") {
    const next = NEXT[this.state][event];
    if (!next) return false;
    this.state = next;
    this.#changed(next, reason);
    return true;
  }
}

/** Seconds to wait before an attempt, counted from 0: 0.5, 1, 2, 4, 8, then 10. */
export function waitBefore(attempt) {
  return Math.min(FIRST_WAIT_S * 2 ** attempt, MAX_WAIT_S);
}
