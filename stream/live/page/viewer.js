/** Watching a session that its owner has shared, by WHEP: video and audio come in, nothing goes out. */

import * as api from "./api.js";
import { offerOf } from "./connection.js";
import { StateMachine, waitBefore } from "./state_machine.js";

/** From the answer to the first frame. */
const OPENING_TIMEOUT_MS = 20000;
/** How long ICE may take to recover from a disconnection. */
const RECOVERY_TIMEOUT_MS = 3000;
const OVER = "The session has ended, or is not shared any more.";

/** Connects, and connects again after a loss: the owner may only have a new connection. */
export class Viewer {
  #settings;
  #machine;
  #run = new AbortController();
  #attempt = 0;
  #timer;
  #peer = null;
  #address = null;
  #grace;

  /**
   * @param {object} settings
   * @param {string} settings.key what the session is shared as
   * @param {RTCIceServer[]} settings.iceServers
   * @param {(state: string, reason: string) => void} settings.changed
   * @param {(stream: MediaStream) => Promise<void>} settings.received resolves once the video is shown
   * @param {() => void} settings.tokenNeeded the server asks for a token, or for another one
   */
  constructor(settings) {
    this.#settings = settings;
    this.#machine = new StateMachine(settings.changed);
  }

  get state() {
    return this.#machine.state;
  }

  async start() {
    if (!this.#machine.send("start")) return;
    this.#attempt = 0;
    this.#machine.send("granted");
    await this.#connect();
  }

  stop() {
    this.#leave();
    this.#machine.send("stop");
  }

  /** Reconnect now instead of after the wait. */
  async retry() {
    if (this.#machine.send("retry")) await this.#connect();
  }

  async #connect() {
    this.#run.abort();
    const { signal } = (this.#run = new AbortController());
    try {
      await this.#open(signal);
    } catch (error) {
      if (!signal.aborted) this.#refused(error);
      return;
    }
    this.#attempt = 0;
    this.#machine.send("connected");
  }

  async #open(signal) {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers: this.#settings.iceServers }));
    const stream = new MediaStream();
    for (const kind of ["video", "audio"]) {
      const { receiver } = peer.addTransceiver(kind, { direction: "recvonly" });
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // the lowest latency that the browser offers
      stream.addTrack(receiver.track);
    }
    const { sdp, address } = await api.watch(this.#settings.key, (await offerOf(peer)).sdp, signal);
    if (signal.aborted) {
      api.stopWatching(address); // stopped while the server was answering
      return;
    }
    this.#address = address;
    await peer.setRemoteDescription({ type: "answer", sdp });
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(new Error("No video came.")), OPENING_TIMEOUT_MS);
      signal.addEventListener("abort", () => reject(new Error("stopped")));
    });
    this.#supervise(peer, signal);
    await Promise.race([this.#settings.received(stream), late]);
  }

  #supervise(peer, signal) {
    const lose = () => signal.aborted || this.#lose(OVER);
    peer.getReceivers()[0].transport.addEventListener("statechange", ({ target }) => {
      if (target.state === "closed" || target.state === "failed") lose();
    });
    peer.onconnectionstatechange = () => {
      clearTimeout(this.#grace);
      if (peer.connectionState === "failed") lose();
      if (peer.connectionState === "disconnected") this.#grace = setTimeout(lose, RECOVERY_TIMEOUT_MS);
    };
  }

  /** A refusal at the first attempt is final. Later the owner may only be about to connect again. */
  #refused(error) {
    if (error.status === 401) this.#settings.tokenNeeded();
    const final = error instanceof api.HttpError && (this.#attempt === 0 || error.status === 401);
    if (!final) return this.#lose(error.status === 404 ? OVER : error.message);
    this.#leave();
    this.#machine.send("fail", error.status === 404 ? OVER : error.message);
  }

  #lose(reason) {
    this.#leave();
    const wait = waitBefore(this.#attempt++);
    if (!this.#machine.send("lose", `${reason} Trying again in ${wait} s.`)) return;
    this.#timer = setTimeout(() => this.retry(), wait * 1000);
  }

  #leave() {
    this.#run.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    if (this.#address) api.stopWatching(this.#address);
    this.#peer?.close();
    this.#address = this.#peer = null;
  }
}
