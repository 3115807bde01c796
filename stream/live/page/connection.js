/** One WebRTC connection: the camera's picture out, the coloured one in, and the data channel "control". */

import * as api from "./api.js";

/** An offer waits so long for ICE candidates. */
const GATHERING_MS = 2000;
/** From the answer to the first picture; the server may have nets to load. */
const OPENING_MS = 20000;
/** The server tells its state ten times a second; after so long without a word it is taken for gone. */
const SILENCE_MS = 8000;
/** ICE may find its way back for so long. */
const DISCONNECTED_MS = 3000;

export class Connection {
  /** What comes back, as a stream; tracks join as they come. */
  stream = new MediaStream();
  #peer;
  #channel;
  #on;
  #session = null;
  #closed = false;
  #lastHeard = performance.now();
  #watch;
  #grace;

  /**
   * @param {MediaStream} camera
   * @param {object} settings
   * @param {RTCIceServer[]} settings.iceServers
   * @param {() => void} settings.ready messages can be sent
   * @param {(message: object) => void} settings.message one has come
   * @param {(reason: string) => void} settings.lost told once, when the other side has ended it or is gone
   */
  constructor(camera, { iceServers, ready, message, lost }) {
    this.#on = { message, lost };
    this.#peer = new RTCPeerConnection({ iceServers });
    this.#channel = this.#peer.createDataChannel("control");
    this.#channel.addEventListener("open", ready);
    this.#channel.onmessage = (event) => this.#hear(event.data);
    for (const track of camera.getTracks()) {
      const { receiver } = this.#peer.addTransceiver(track, { direction: "sendrecv", streams: [camera] });
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // as little delay as the browser can do
    }
    this.#peer.ontrack = (event) => this.stream.addTrack(event.track);
  }

  /**
   * Resolves once the channel is open and the first of the picture is here.
   *
   * @throws {api.Refusal} where the server says no, another `Error` where nothing comes of it
   */
  async open(record, signal) {
    await this.#peer.setLocalDescription(await this.#peer.createOffer());
    await this.#gathered();
    const answer = await api.offer(this.#peer.localDescription, record, signal);
    this.#session = answer.session;
    if (this.#closed) {
      api.leave(this.#session); // stopped while the server was answering
      throw new Error("stopped");
    }
    await this.#peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    await this.#running(signal);
    this.#guard();
  }

  /** Ask for other controls, any subset of them. */
  send(values) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify({ type: "controls", values }));
  }

  /** Send another camera's picture from now on. */
  async showInstead(track) {
    const sender = this.#peer.getSenders().find((one) => one.track?.kind === "video");
    await sender?.replaceTrack(track);
  }

  /** End it; resolves soon, as a rule once the server has made room. A second call does nothing. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#grace);
    for (const track of this.stream.getTracks()) track.stop();
    if (this.#session) await api.leave(this.#session);
    this.#peer.close();
  }

  #hear(text) {
    if (this.#closed) return;
    this.#lastHeard = performance.now();
    const message = JSON.parse(text);
    if (message.type !== "bye") {
      this.#on.message(message);
      return;
    }
    this.#session = null; // there is nothing left to leave
    this.#lose(`The server ended the session: ${message.reason}.`);
  }

  #lose(reason) {
    if (this.#closed) return;
    this.close();
    this.#on.lost(reason);
  }

  /** All candidates are known, or those that come in time: the offer goes out whole. */
  async #gathered() {
    const peer = this.#peer;
    if (peer.iceGatheringState === "complete") return;
    await new Promise((resolve) => {
      setTimeout(resolve, GATHERING_MS);
      peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    });
  }

  #running(signal) {
    const video = this.stream.getVideoTracks()[0];
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.#channel.readyState === "open" && video && !video.muted) resolve();
        if (this.#peer.connectionState === "failed") reject(new Error("The server cannot be reached by WebRTC."));
      };
      this.#channel.addEventListener("open", check);
      this.#peer.onconnectionstatechange = check;
      video?.addEventListener("unmute", check);
      signal.addEventListener("abort", () => reject(new Error("stopped")));
      setTimeout(() => reject(new Error("No picture came back.")), OPENING_MS);
      check();
    });
  }

  /** Notice, from now on, when the other side is gone. */
  #guard() {
    this.#lastHeard = performance.now();
    this.#watch = setInterval(() => {
      if (performance.now() - this.#lastHeard > SILENCE_MS) this.#lose("The server has gone silent.");
    }, 1000);
    this.#channel.onclose = () => this.#lose("The connection was closed.");
    this.#peer.onconnectionstatechange = () => {
      clearTimeout(this.#grace);
      if (this.#peer.connectionState === "failed") this.#lose("The connection was lost.");
      if (this.#peer.connectionState === "disconnected") {
        this.#grace = setTimeout(() => this.#lose("The connection was lost."), DISCONNECTED_MS);
      }
    };
  }
}
