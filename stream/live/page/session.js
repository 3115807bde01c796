/** A live picture from the press on Start to the press on Stop: camera, connection, and trying again. */

import * as api from "./api.js";
import { openCamera } from "./camera.js";
import { Connection } from "./connection.js";
import { Machine, waitBefore } from "./machine.js";

/** A connection that held for so long counts as good: waits begin anew when it is lost. */
const SETTLED_MS = 5000;
/** HTTP statuses after which a lost connection is tried again: too many requests, and a server that is full or not up. */
const PASSING = [429, 502, 503, 504];

export class Session {
  #machine;
  #settings;
  #camera = null;
  #connection = null;
  #left = Promise.resolve();
  #run = new AbortController();
  #openings = 0;
  #attempt = 0;
  #timer;
  #liveSince = 0;

  /**
   * @param {object} settings
   * @param {() => {camera: string, size: [number, number], sound: boolean, keep: boolean}} settings.wish
   * @param {RTCIceServer[]} settings.iceServers
   * @param {(state: string, reason: string) => void} settings.changed
   * @param {(stream: MediaStream) => void} settings.opened the camera's picture is here
   * @param {() => void} settings.ready controls can be sent
   * @param {(stream: MediaStream) => Promise<void>} settings.coloured the coloured picture is here; resolves once it
   *   is seen
   * @param {(message: object) => void} settings.message of the data channel
   * @param {() => void} settings.tokenWanted the server asks for a token, or for another one
   * @param {() => void} settings.ended the coloured picture is about to go
   */
  constructor(settings) {
    this.#settings = settings;
    this.#machine = new Machine(settings.changed);
  }

  get state() {
    return this.#machine.state;
  }

  async start() {
    if (!this.#machine.send("start")) return;
    this.#attempt = 0;
    const run = this.#begin();
    if (!(await this.#openCamera(run))) return;
    this.#machine.send("granted");
    await this.#connect(run);
  }

  stop() {
    this.#leave();
    this.#closeCamera();
    this.#machine.send("stop");
  }

  /** Try now what would be tried later. */
  async retry() {
    if (this.#machine.send("retry")) await this.#connect(this.#begin());
  }

  send(values) {
    this.#connection?.send(values);
  }

  /** Open the camera anew, as is wished now; the connection stays. */
  async changeCamera() {
    if (this.state !== "live" || !(await this.#openCamera(this.#run.signal))) return;
    await this.#connection?.showInstead(this.#camera.getVideoTracks()[0]);
  }

  /** Where something runs, connect anew with what is wished now. */
  async restart() {
    if (!this.#machine.send("restart")) return;
    this.#leave();
    this.#closeCamera();
    await this.#connect(this.#begin());
  }

  #begin() {
    this.#run.abort();
    this.#run = new AbortController();
    return this.#run.signal;
  }

  /**
   * Whether it could be opened and is still wanted: a later opening takes the place of an earlier one. The camera
   * before is closed first, since phones open one at a time.
   */
  async #openCamera(run) {
    this.#closeCamera();
    const turn = ++this.#openings;
    let camera;
    try {
      camera = await openCamera(this.#settings.wish());
    } catch (error) {
      if (!run.aborted && turn === this.#openings) this.#fail(error.message);
      return false;
    }
    if (run.aborted || turn !== this.#openings) {
      for (const track of camera.getTracks()) track.stop();
      return false;
    }
    this.#camera = camera;
    camera.getVideoTracks()[0].onended = () => this.#fail("The camera is gone. Plug it in again or choose another one.");
    this.#settings.opened(camera);
    return true;
  }

  #closeCamera() {
    for (const track of this.#camera?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#camera = null;
  }

  async #connect(run) {
    await this.#left; // a server of few places must have heard that one is free
    if (run.aborted || !(this.#camera || (await this.#openCamera(run)))) return;
    const connection = new Connection(this.#camera, {
      iceServers: this.#settings.iceServers,
      ready: this.#settings.ready,
      message: this.#settings.message,
      lost: (reason) => this.#lose(reason),
    });
    this.#connection = connection;
    try {
      await connection.open(this.#settings.wish().keep, run);
    } catch (error) {
      if (!run.aborted) this.#refused(error);
      return;
    }
    this.#liveSince = performance.now();
    await this.#settings.coloured(connection.stream);
    if (!run.aborted) this.#machine.send("connected");
  }

  /** A server that says no at the first try is believed; later it may only be busy with what was lost. */
  #refused(error) {
    const final = error instanceof api.Refusal && !(this.#attempt > 0 && PASSING.includes(error.status));
    if (error.status === 401) this.#settings.tokenWanted();
    if (final) this.#fail(error.message);
    else this.#lose(error.message);
  }

  #lose(reason) {
    if (this.state === "live" && performance.now() - this.#liveSince > SETTLED_MS) this.#attempt = 0;
    this.#leave();
    const wait = waitBefore(this.#attempt++);
    if (!this.#machine.send("lose", `${reason} Trying again in ${wait} s.`)) return;
    this.#timer = setTimeout(() => this.retry(), wait * 1000);
  }

  #fail(reason) {
    this.#leave();
    this.#closeCamera();
    this.#machine.send("fail", reason);
  }

  #leave() {
    this.#run.abort();
    clearTimeout(this.#timer);
    if (!this.#connection) return;
    this.#settings.ended();
    this.#left = this.#connection.close();
    this.#connection = null;
  }
}
