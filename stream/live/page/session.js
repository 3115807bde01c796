/** A live session from Start to Stop: the camera, the connection, and reconnecting. */

import * as api from "./api.js";
import { openCamera } from "./camera.js";
import { Connection } from "./connection.js";
import { StateMachine, waitBefore } from "./state_machine.js";

/** A connection that lasted so long was stable: when it is lost, waits start again with the shortest. */
const STABLE_MS = 5000;
/** HTTP statuses that may pass while reconnecting: too many requests, a full server, a server that is not up yet. */
const TEMPORARY = [429, 502, 503, 504];

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
   * @param {() => {camera: string, size: [number, number], audio: boolean, record: boolean}} settings.wish
   * @param {RTCIceServer[]} settings.iceServers
   * @param {(state: string, reason: string) => void} settings.changed
   * @param {(stream: MediaStream) => void} settings.opened the camera is open
   * @param {() => void} settings.ready controls can be sent
   * @param {(stream: MediaStream) => Promise<void>} settings.recolored the recoloured video is here; resolves once it
   *   is shown
   * @param {(message: object) => void} settings.message of the data channel
   * @param {() => void} settings.tokenNeeded the server asks for a token, or for another one
   * @param {() => void} settings.ended the recoloured video is about to end
   */
  constructor(settings) {
    this.#settings = settings;
    this.#machine = new StateMachine(settings.changed);
  }

  get state() {
    return this.#machine.state;
  }

  /** The secret that makes this page the owner of the running session; null where none runs. */
  get secret() {
    return this.#connection?.secret ?? null;
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

  /** Reconnect now instead of after the wait. */
  async retry() {
    if (this.#machine.send("retry")) await this.#connect(this.#begin());
  }

  send(values) {
    this.#connection?.send(values);
  }

  /** Open the camera that is wished now; the connection stays. */
  async changeCamera() {
    if (this.state !== "live" || !(await this.#openCamera(this.#run.signal))) return;
    await this.#connection?.replaceVideo(this.#camera.getVideoTracks()[0]);
  }

  /** Where a session runs, reconnect with what is wished now. */
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
   * Returns whether a camera was opened and is still wanted: a later call supersedes an earlier one. The previous
   * camera is closed first, since phones open only one at a time.
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
    camera.getVideoTracks()[0].onended = () => this.#fail("The camera was disconnected. Connect it again or choose another one.");
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
    await this.#left; // a full server must learn first that a place has become free
    if (run.aborted || !(this.#camera || (await this.#openCamera(run)))) return;
    const connection = new Connection(this.#camera, {
      iceServers: this.#settings.iceServers,
      ready: this.#settings.ready,
      message: this.#settings.message,
      lost: (reason) => this.#lose(reason),
    });
    this.#connection = connection;
    try {
      await connection.open(this.#settings.wish().record, run);
    } catch (error) {
      if (!run.aborted) this.#refused(error);
      return;
    }
    this.#liveSince = performance.now();
    await this.#settings.recolored(connection.stream);
    if (!run.aborted) this.#machine.send("connected");
  }

  /** A refusal at the first attempt is final. Later the server may only be busy with the session that was lost. */
  #refused(error) {
    const final = error instanceof api.HttpError && !(this.#attempt > 0 && TEMPORARY.includes(error.status));
    if (error.status === 401) this.#settings.tokenNeeded();
    if (final) this.#fail(error.message);
    else this.#lose(error.message);
  }

  #lose(reason) {
    if (this.state === "live" && performance.now() - this.#liveSince > STABLE_MS) this.#attempt = 0;
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
