/** Records the recoloured stream in the browser, and saves files. */

import { seekable } from "./webm.js";

/** The first type that the browser supports is used; Safari writes MP4 alone. */
const TYPES = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/** Players seek to key frames. Browsers that do not know this option have some too. */
const KEY_FRAME_INTERVAL_MS = 2000;

export class Recorder {
  #recorder = null;
  #parts = [];

  /** Whether this browser can record at all. */
  static get available() {
    return typeof MediaRecorder !== "undefined";
  }

  get running() {
    return this.#recorder !== null;
  }

  start(stream) {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#parts = [];
    this.#recorder = new MediaRecorder(stream, { mimeType, videoKeyFrameIntervalDuration: KEY_FRAME_INTERVAL_MS });
    this.#recorder.ondataavailable = (event) => this.#parts.push(event.data);
    this.#recorder.start(1000);
  }

  /** Resolves to the recording, a `Blob` that players can seek in. */
  async stop() {
    const recorder = this.#recorder;
    this.#recorder = null;
    if (recorder.state !== "inactive") {
      const stopped = new Promise((resolve) => (recorder.onstop = resolve));
      recorder.stop();
      await stopped;
    }
    const recording = new Blob(this.#parts, { type: recorder.mimeType.split(";")[0] });
    this.#parts = [];
    return seekable(recording);
  }
}

/** Save a blob as a file named by the time, such as `emocolor-2026-05-04-103059.png`; returns the name. */
export function save(blob) {
  const now = new Date();
  const [date, time] = new Date(now - now.getTimezoneOffset() * 60000).toISOString().split("T");
  const ending = blob.type.split("/")[1];
  const name = `emocolor-${date}-${time.slice(0, 8).replaceAll(":", "")}.${ending}`;
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return name;
}
