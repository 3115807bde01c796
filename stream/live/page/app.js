/** Connects the parts of the page. */

import * as api from "./api.js";
import { hasCamera, listCameras } from "./camera.js";
import { Controls } from "./controls.js";
import { Faces } from "./faces.js";
import { Player } from "./player.js";
import { Recorder, save } from "./recorder.js";
import { Session } from "./session.js";
import { Sharing } from "./sharing.js";
import { pressByKey } from "./shortcuts.js";
import { showStatistics, showViewers } from "./statistics.js";
import { Viewer } from "./viewer.js";

const NOTICE_MS = 8000;
/** Each state in a word or two, and in a sentence for where there is no reason to tell. */
const STATUS = {
  idle: "Off",
  asking: "Waiting for the camera",
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost",
  failed: "Stopped",
};
const MESSAGES = {
  idle: "Stopped. Your camera is off.",
  asking: "Allow the camera when the browser asks for it.",
  connecting: "Connecting …",
  live: "Live: the recoloured video is running.",
};
const MESSAGES_OF_VIEWERS = { ...MESSAGES, idle: "Stopped.", live: "Live: you watch a shared session." };
/** The button for the next step, in the states that have one. */
const NEXT_STEP = { idle: "Start the camera", failed: "Start again", lost: "Try now" };
const NEXT_STEP_OF_VIEWERS = { ...NEXT_STEP, idle: "Watch" };

const find = (id) => document.getElementById(id);
const player = new Player(find("player"));
const recorder = new Recorder();

let noticeTimer;
function notice(text) {
  find("notice").textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (find("notice").textContent = ""), NOTICE_MS);
}

function showMessage(text) {
  find("message").textContent = text;
}

function askForToken() {
  find("token-form").hidden = false;
  find("token").focus();
}

async function run() {
  prepareToken();
  let options;
  try {
    options = await api.options();
  } catch (error) {
    document.body.dataset.state = "failed";
    showMessage(error.message);
    if (error.status === 401) askForToken();
    else offerReload();
    return;
  }
  const key = api.inFragment("watch");
  if (key) connectViewer(options, key);
  else connectParts(options);
}

function prepareToken() {
  find("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    api.setToken(find("token").value.trim());
    location.reload();
  });
}

function offerReload() {
  showBegin("Try again");
  find("begin").onclick = () => location.reload();
}

/** Show the button in the middle with this text, or hide it; a hidden button must not keep the focus. */
function showBegin(text) {
  if (!text && document.activeElement === find("begin")) find("stop").focus();
  find("begin").hidden = !text;
  find("begin").firstElementChild.textContent = text ?? "";
}

function connectParts(options) {
  const faces = new Faces(find("faces"), options.emotions);
  const controls = new Controls(find("controls"), options, {
    send: (values) => session.send(values),
    changed: (values) => {
      faces.usePalette(options.palettes[values["tint.palette"]]);
      find("overlay-hint").hidden = !values.effect.split(",").includes("overlay");
    },
  });
  const mirror = (mirrored) => {
    player.mirrored = mirrored;
    faces.mirror(mirrored);
    find("mirror").ariaPressed = mirrored;
  };
  const session = new Session({
    iceServers: options.ice_servers ?? [],
    wish,
    changed: (state, reason) => {
      showState(state, reason);
      if (state === "idle" || state === "failed") sharing.forget();
    },
    opened: (stream) => {
      const { deviceId, facingMode } = stream.getVideoTracks()[0].getSettings();
      if (facingMode === "environment") mirror(false); // only self-views are shown mirrored
      player.showOriginal(stream);
      fillCameras(deviceId);
    },
    ready: () => {
      controls.sendAll();
      sharing.resume().catch((error) => notice(error.message));
    },
    recolored: (stream) => player.showRecolored(stream),
    message: (message) => handle(message, { controls, faces }),
    tokenNeeded: askForToken,
    ended: () => {
      if (recorder.running) finishRecording();
      faces.clear();
      find("no-faces").hidden = false;
      showStatistics(null);
      showViewers(0);
    },
  });
  const sharing = connectSharing(session);

  showBegin(NEXT_STEP.idle);
  find("begin").onclick = () => (session.state === "lost" ? session.retry() : session.start());
  find("stop").onclick = () => session.stop();
  for (const id of ["camera", "size"]) find(id).onchange = () => session.changeCamera();
  for (const id of ["audio", "record-on-server"]) find(id).onchange = () => session.restart();
  find("record-on-server-field").hidden = !options.recording;
  connectPlayer(mirror);
  connectEvents(session);
  fillCameras();
}

/** Watch the session that is shared by this key, instead of having one. */
function connectViewer(options, key) {
  document.body.dataset.mode = "watch";
  const viewer = new Viewer({
    key,
    iceServers: options.ice_servers ?? [],
    changed: (state, reason) => showState(state, reason, MESSAGES_OF_VIEWERS, NEXT_STEP_OF_VIEWERS),
    received: (stream) => player.showRecolored(stream),
    tokenNeeded: askForToken,
  });
  showMessage("Somebody shares a video with you.");
  showBegin(NEXT_STEP_OF_VIEWERS.idle);
  player.audible = true; // the button that starts it is the gesture that browsers ask for
  find("begin").onclick = () => (viewer.state === "lost" ? viewer.retry() : viewer.start());
  find("stop").onclick = () => viewer.stop();
  connectPlayer(() => {});
  connectEvents(viewer);
}

/** Connect the buttons that share the session. */
function connectSharing(session) {
  const sharing = new Sharing({
    session: () => session.secret,
    changed: (address) => {
      find("share").ariaPressed = address !== null;
      find("share-panel").hidden = address === null;
      find("share-link").value = address ?? "";
    },
  });
  const attempt = (work) => work.catch((error) => notice(error.message));
  find("share").onclick = () => attempt(sharing.shared ? sharing.stop() : sharing.start());
  find("stop-sharing").onclick = () => attempt(sharing.stop());
  find("copy-link").onclick = async () => {
    find("share-link").select();
    const copied = navigator.clipboard?.writeText(find("share-link").value) ?? Promise.reject();
    notice(await copied.then(() => "Copied the link.", () => "Copy the selected link."));
  };
  return sharing;
}

/** Show a state of the session, and the reason for it. */
function showState(state, reason, messages = MESSAGES, nextStep = NEXT_STEP) {
  document.body.dataset.state = state;
  find("status").textContent = STATUS[state];
  showMessage(reason || messages[state]);
  const runs = state !== "idle" && state !== "failed";
  find("stop").hidden = !runs;
  showBegin(nextStep[state]);
  for (const id of ["snapshot", "record", "share"]) find(id).disabled = state !== "live";
  for (const id of ["camera", "size", "audio", "record-on-server"]) find(id).disabled = runs && state !== "live";
  if (!runs) {
    player.showOriginal(null);
    player.showRecolored(null);
  }
}

/** What the user wants of the camera and the connection. */
function wish() {
  return {
    camera: find("camera").value,
    size: find("size").value.split("x").map(Number),
    audio: find("audio").checked,
    record: find("record-on-server").checked,
  };
}

/** Handle a message of the server. */
function handle(message, { controls, faces }) {
  switch (message.type) {
    case "controls":
      controls.confirm(message.values);
      break;
    case "error":
      controls.refuse();
      notice(message.message);
      break;
    case "warning":
      notice(message.message);
      break;
    case "state":
      faces.update(message.faces, performance.now() / 1000);
      showStatistics(message);
      showViewers(message.viewers);
      find("no-faces").hidden = find("faces").childElementCount > 0;
  }
}

function connectPlayer(mirror) {
  mirror(true);
  find("mirror").onclick = () => mirror(!player.mirrored);
  find("full-screen").hidden = !player.canFillScreen;
  find("full-screen").onclick = () => player.toggleFullScreen();
  find("snapshot").onclick = async () => notice(`Saved ${save(await player.snapshot())}.`);
  find("record").hidden = !Recorder.available;
  find("record").onclick = () => (recorder.running ? finishRecording() : beginRecording());
  find("views").onchange = (event) => (player.view = event.target.value);
  find("audio").addEventListener("change", () => (find("play-audio-field").hidden = !find("audio").checked));
  find("play-audio").onchange = (event) => (player.audible = event.target.checked);
  pressByKey({
    " ": [find("stop"), find("begin")],
    m: [find("mirror")],
    f: [find("full-screen")],
    s: [find("snapshot")],
    r: [find("record")],
  });
}

function connectEvents(session) {
  addEventListener("pagehide", () => session.stop());
  addEventListener("online", () => session.retry());
  document.addEventListener("visibilitychange", () => document.hidden || session.retry());
  navigator.mediaDevices?.addEventListener("devicechange", () => fillCameras());
}

function beginRecording() {
  recorder.start(player.stream);
  showRecording(true);
}

async function finishRecording() {
  showRecording(false);
  const blob = await recorder.stop();
  notice(`Saved ${save(blob)}.`);
}

function showRecording(running) {
  find("record").ariaPressed = running;
  find("record").firstElementChild.textContent = running ? "Stop and save" : "Record";
}

/** List the cameras in the picker; `chosen` is the one in use. */
async function fillCameras(chosen = find("camera").value) {
  const picker = find("camera");
  const cameras = await listCameras();
  picker.replaceChildren(new Option((await hasCamera()) ? "Default camera" : "No camera found", ""));
  for (const { id, label } of cameras) picker.append(new Option(label, id));
  picker.value = cameras.some(({ id }) => id === chosen) ? chosen : "";
}

run();
