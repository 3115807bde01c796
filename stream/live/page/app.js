/** Joins the parts of the page. */

import * as api from "./api.js";
import { hasCamera, listCameras } from "./camera.js";
import { Controls } from "./controls.js";
import { Faces } from "./faces.js";
import { showFigures } from "./figures.js";
import { Recorder, save } from "./recorder.js";
import { Session } from "./session.js";
import { pressByKey } from "./shortcuts.js";
import { Stage } from "./stage.js";

const NOTICE_MS = 8000;
/** States in a word or two, and in a sentence where no reason is given. */
const PILLS = {
  idle: "Off",
  asking: "Waiting for the camera",
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost",
  failed: "Stopped",
};
const MESSAGES = {
  idle: "Stopped. Your camera is off.",
  asking: "Please allow the camera where the browser asks for it.",
  connecting: "Connecting …",
  live: "Live: the coloured picture is running.",
};
/** The one thing to do next, where there is one. */
const BEGIN = { idle: "Start the camera", failed: "Start again", lost: "Try now" };

const find = (id) => document.getElementById(id);
const stage = new Stage(find("stage"));
const recorder = new Recorder();

let noticeTimer;
function notice(text) {
  find("notice").textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (find("notice").textContent = ""), NOTICE_MS);
}

function tell(text) {
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
    tell(error.message);
    if (error.status === 401) askForToken();
    else offerReload();
    return;
  }
  join(options);
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

/** Show the button in the middle with these words, or hide it. */
function showBegin(words) {
  if (!words && document.activeElement === find("begin")) find("stop").focus();
  find("begin").hidden = !words;
  find("begin").firstElementChild.textContent = words ?? "";
}

function join(options) {
  const faces = new Faces(find("faces"), options.emotions);
  const controls = new Controls(find("controls"), options, {
    send: (values) => session.send(values),
    changed: (values) => {
      faces.paint(options.palettes[values["tint.palette"]]);
      find("overlay-hint").hidden = !values.effect.split(",").includes("overlay");
    },
  });
  const mirror = (mirrored) => {
    stage.mirrored = mirrored;
    faces.mirror(mirrored);
    find("mirror").ariaPressed = mirrored;
  };
  const session = new Session({
    iceServers: options.ice_servers ?? [],
    wish,
    changed: show,
    opened: (stream) => {
      const { deviceId, facingMode } = stream.getVideoTracks()[0].getSettings();
      if (facingMode === "environment") mirror(false);
      stage.showOriginal(stream);
      fillCameras(deviceId);
    },
    ready: () => controls.sendAll(),
    coloured: (stream) => stage.showColoured(stream),
    message: (message) => hear(message, { controls, faces }),
    tokenWanted: askForToken,
    ended: () => {
      if (recorder.running) finishRecording();
      faces.clear();
      find("no-face").hidden = false;
      showFigures(null);
    },
  });

  showBegin(BEGIN.idle);
  find("begin").onclick = () => (session.state === "lost" ? session.retry() : session.start());
  find("stop").onclick = () => session.stop();
  for (const id of ["camera", "size"]) find(id).onchange = () => session.changeCamera();
  for (const id of ["sound", "keep"]) find(id).onchange = () => session.restart();
  find("keep-field").hidden = !options.recording;
  joinPicture(mirror);
  joinEvents(session);
  fillCameras();
}

/** Show a state of the session, and why it came to that. */
function show(state, reason) {
  document.body.dataset.state = state;
  find("pill").textContent = PILLS[state];
  tell(reason || MESSAGES[state]);
  const runs = state !== "idle" && state !== "failed";
  find("stop").hidden = !runs;
  showBegin(BEGIN[state]);
  for (const id of ["snapshot", "record"]) find(id).disabled = state !== "live";
  for (const id of ["camera", "size", "sound", "keep"]) find(id).disabled = runs && state !== "live";
  if (!runs) {
    stage.showOriginal(null);
    stage.showColoured(null);
  }
}

/** What the viewer wants of the camera and the connection. */
function wish() {
  return {
    camera: find("camera").value,
    size: find("size").value.split("x").map(Number),
    sound: find("sound").checked,
    keep: find("keep").checked,
  };
}

function hear(message, { controls, faces }) {
  switch (message.type) {
    case "controls":
      controls.confirm(message.values);
      break;
    case "error":
      controls.refuse();
      notice(message.message);
      break;
    case "state":
      faces.update(message.faces, performance.now() / 1000);
      showFigures(message);
      find("no-face").hidden = find("faces").childElementCount > 0;
  }
}

function joinPicture(mirror) {
  mirror(true);
  find("mirror").onclick = () => mirror(!stage.mirrored);
  find("full-screen").hidden = !stage.canFill;
  find("full-screen").onclick = () => stage.toggleFullScreen();
  find("snapshot").onclick = async () => notice(`Saved ${save(await stage.snapshot())}.`);
  find("record").hidden = !Recorder.available;
  find("record").onclick = () => (recorder.running ? finishRecording() : beginRecording());
  find("views").onchange = (event) => (stage.view = event.target.value);
  find("sound").addEventListener("change", () => (find("hear-field").hidden = !find("sound").checked));
  find("hear").onchange = (event) => (stage.audible = event.target.checked);
  pressByKey({
    " ": [find("stop"), find("begin")],
    m: [find("mirror")],
    f: [find("full-screen")],
    s: [find("snapshot")],
    r: [find("record")],
  });
}

function joinEvents(session) {
  addEventListener("pagehide", () => session.stop());
  addEventListener("online", () => session.retry());
  document.addEventListener("visibilitychange", () => document.hidden || session.retry());
  navigator.mediaDevices?.addEventListener("devicechange", () => fillCameras());
}

function beginRecording() {
  recorder.start(stage.video.srcObject);
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

/** Name the cameras in the picker; `chosen` is the one in use. */
async function fillCameras(chosen = find("camera").value) {
  const picker = find("camera");
  const cameras = await listCameras();
  picker.replaceChildren(new Option((await hasCamera()) ? "The browser’s choice" : "No camera found", ""));
  for (const { id, label } of cameras) picker.append(new Option(label, id));
  picker.value = cameras.some(({ id }) => id === chosen) ? chosen : "";
}

run();
