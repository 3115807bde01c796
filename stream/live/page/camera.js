/** The camera: which there are, opening one, and plain words for why it would not open. */

/** Why there is no picture, in a line for the viewer. */
export class CameraError extends Error {}

const REASONS = {
  NotAllowedError: "The camera was refused. Allow it for this page beside the address bar, then start again.",
  NotFoundError: "No camera was found. Plug one in, then start again.",
  NotReadableError: "The camera would not open. Another program may be using it: close that, then start again.",
  OverconstrainedError: "The camera that was chosen is gone. Choose another one, then start again.",
};
const NO_MICROPHONE = "No microphone was found beside the camera. Plug one in or switch sound off, then start again.";
const INSECURE =
  "Browsers lend cameras to safe addresses only. Open this page by https, or by localhost on the server itself.";

/**
 * Ask for the camera; resolves to its stream.
 *
 * @param {{camera: string, size: [number, number], sound: boolean}} wish device id, or "" for the browser's choice
 * @throws {CameraError}
 */
export async function openCamera({ camera, size: [width, height], sound }) {
  if (!navigator.mediaDevices) throw new CameraError(INSECURE);
  const which = camera ? { deviceId: { exact: camera } } : { facingMode: "user" };
  const video = { ...which, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30, max: 30 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: sound });
  } catch (error) {
    throw new CameraError(await explain(error, sound));
  }
}

/** The cameras, as `{id, label}`; empty where none is there. Labels are known once a camera was allowed. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter((device) => device.kind === "videoinput" && device.deviceId)
    .map((device, index) => ({ id: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** Whether any camera is there, allowed or not. */
export async function hasCamera() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.some((device) => device.kind === "videoinput");
}

async function explain(error, sound) {
  if (error.name === "NotFoundError" && sound && (await hasCamera())) return NO_MICROPHONE;
  return REASONS[error.name] ?? `The camera would not open (${error.name}).`;
}
