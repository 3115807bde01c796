/** Lists cameras, opens one, and explains why one does not open. */

/** Why there is no video, in one line for the user. */
export class CameraError extends Error {}

const REASONS = {
  NotAllowedError: "Access to the camera was denied. Allow it for this page next to the address bar, then start again.",
  NotFoundError: "No camera was found. Connect one, then start again.",
  NotReadableError: "The camera does not open. Another program may be using it; close that, then start again.",
  OverconstrainedError: "The chosen camera is no longer there. Choose another one, then start again.",
};
const NO_MICROPHONE = "No microphone was found. Connect one or turn audio off, then start again.";
const INSECURE =
  "Browsers allow cameras on secure addresses only. Open this page over https, or as localhost on the server itself.";

/**
 * Open a camera; resolves to its stream.
 *
 * @param {{camera: string, size: [number, number], audio: boolean}} wish `camera` is a device id, or "" for the default
 * @throws {CameraError}
 */
export async function openCamera({ camera, size: [width, height], audio }) {
  if (!navigator.mediaDevices) throw new CameraError(INSECURE);
  const which = camera ? { deviceId: { exact: camera } } : { facingMode: "user" };
  const video = { ...which, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30, max: 30 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch (error) {
    throw new CameraError(await explain(error, audio));
  }
}

/** The cameras, as `{id, label}`. Browsers tell labels only once a camera has been allowed. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter((device) => device.kind === "videoinput" && device.deviceId)
    .map((device, index) => ({ id: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** Whether there is a camera, allowed or not. */
export async function hasCamera() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.some((device) => device.kind === "videoinput");
}

async function explain(error, audio) {
  if (error.name === "NotFoundError" && audio && (await hasCamera())) return NO_MICROPHONE;
  return REASONS[error.name] ?? `The camera does not open (${error.name}).`;
}
