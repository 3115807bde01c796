/** One WebRTC connection: sends the camera, receives the recoloured video, and has the data channel "control". */

import * as api from "./api.js";

/** How long an offer waits for ICE candidates. */
const GATHERING_TIMEOUT_MS = 2000;
/** From the answer to the first frame. */
const OPENING_TIMEOUT_MS = 20000;
/** The server sends its state ten times a second. After so long without a message it counts as lost. */
const SILENCE_TIMEOUT_MS = 8000;
/** How long ICE may take to recover from a disconnection. */
const RECOVERY_TIMEOUT_MS = 3000;

/** Make an offer; resolves once all candidates are in it, or those that are found in time. */
export async function offerOf(peer) {
  await peer.setLocalDescription(await peer.createOffer());
  if (peer.iceGatheringState !== "complete") {
    await new Promise((resolve) => {
      setTimeout(resolve, GATHERING_TIMEOUT_MS);
      peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    });
  }
  return peer.localDescription;
}

export class Connection {
  /** The received stream; its tracks are added as they arrive. */
  stream = new MediaStream();
  #peer;
  #channel;
  #on;
  #session = null;
  #closed = false;
  #receivedAt = performance.now();
  #watch;
  #grace;

  /**
   * @param {MediaStream} camera
   * @param {object} settings
   * @param {RTCIceServer[]} settings.iceServers
   * @param {() => void} settings.ready called when messages can be sent
   * @param {(message: object) => void} settings.message called for each received message
   * @param {(reason: string) => void} settings.lost called once, when the server has ended the session or is gone
   */
  constructor(camera, { iceServers, ready, message, lost }) {
    this.#on = { message, lost };
    this.#peer = new RTCPeerConnection({ iceServers });
    this.#channel = this.#peer.createDataChannel("control");
    this.#channel.addEventListener("open", ready);
    this.#channel.onmessage = (event) => this.#receive(event.data);
    for (const track of camera.getTracks()) {
      const { receiver } = this.#peer.addTransceiver(track, { direction: "sendrecv", streams: [camera] });
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // the lowest latency that the browser offers
    }
    this.#peer.ontrack = (event) => this.stream.addTrack(event.track);
  }

  /** The secret that makes this page the owner of its session; null where there is none. */
  get secret() {
    return this.#session;
  }

  /**
   * Resolves once the data channel is open and video arrives.
   *
   * @throws {api.HttpError} where the server refuses, `Error` where the connection fails
   */
  async open(record, signal) {
    const answer = await api.offer(await offerOf(this.#peer), record, signal);
    this.#session = answer.session;
    if (this.#closed) {
      api.leave(this.#session); // stopped while the server was answering
      throw new Error("stopped");
    }
    await this.#peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    await this.#running(signal);
    this.#supervise();
  }

  /** Ask for changed controls, any subset of them. */
  send(values) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify({ type: "controls", values }));
  }

  /** Send another camera's video from now on. */
  async replaceVideo(track) {
    const sender = this.#peer.getSenders().find((one) => one.track?.kind === "video");
    await sender?.replaceTrack(track);
  }

  /** End it. Resolves soon, usually once the server has freed the session's place. A second call does nothing. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#grace);
    for (const track of this.stream.getTracks()) track.stop();
    if (this.#session) await api.leave(this.#session);
    this.#peer.close();
  }

  #receive(text) {
    if (this.#closed) return;
    this.#receivedAt = performance.now();
    const message = JSON.parse(text);
    if (message.type !== "bye") {
      this.#on.message(message);
      return;
    }
    this.#session = null; // the server has already ended it
    this.#lose(`The server ended the session: ${message.reason}.`);
  }

  #lose(reason) {
    if (this.#closed) return;
    this.close();
    this.#on.lost(reason);
  }

  /** Resolves once messages and video can flow. */
  #running(signal) {
    const video = this.stream.getVideoTracks()[0];
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.#channel.readyState === "open" && video && !video.muted) resolve();
        if (this.#peer.connectionState === "failed") reject(new Error("The server cannot be reached over WebRTC."));
      };
      this.#channel.addEventListener("open", check);
      this.#peer.onconnectionstatechange = check;
      video?.addEventListener("unmute", check);
      signal.addEventListener("abort", () => reject(new Error("stopped")));
      setTimeout(() => reject(new Error("No video came back.")), OPENING_TIMEOUT_MS);
      check();
    });
  }

  /** From now on, notice when the server is gone. */
  #supervise() {
    this.#receivedAt = performance.now();
    this.#watch = setInterval(() => {
      if (performance.now() - this.#receivedAt > SILENCE_TIMEOUT_MS) this.#lose("The server stopped responding.");
    }, 1000);
    this.#channel.onclose = () => this.#lose("The connection was closed.");
    this.#peer.onconnectionstatechange = () => {
      clearTimeout(this.#grace);
      if (this.#peer.connectionState === "failed") this.#lose("The connection was lost.");
      if (this.#peer.connectionState === "disconnected") {
        this.#grace = setTimeout(() => this.#lose("The connection was lost."), RECOVERY_TIMEOUT_MS);
      }
    };
  }
}
