/** The page's requests to the server over HTTP. */

const LEAVE_TIMEOUT_MS = 2000;

/** An error response of the server: its line, and the HTTP status. */
export class HttpError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** What can be chosen, and the controls at the start. */
export const options = () => request("api/options");

/** Send an SDP offer; resolves to `{type, sdp, session}`. */
export const offer = (description, record, signal) =>
  request("api/offer", { method: "POST", body: { ...description.toJSON(), record }, signal });

/** End a session, also while the page is being closed. Resolves soon, whether or not the request has arrived. */
export const leave = (session) => {
  const path = `api/sessions/${encodeURIComponent(session)}`;
  return request(path, { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(LEAVE_TIMEOUT_MS) }).catch(() => {});
};

/** Share a session by the key that belongs to `secret`; resolves to `{key}`. */
export const share = (session, secret) => request(sharePath(session), { method: "POST", body: { secret } });

/** Share a session no more: those who watch it by a key are sent away. */
export const unshare = (session) => request(sharePath(session), { method: "DELETE" });

const sharePath = (session) => `api/sessions/${encodeURIComponent(session)}/share`;

/** Send an SDP offer to watch by WHEP; resolves to the answer, and the address that ends it. */
export async function watch(key, sdp, signal) {
  const headers = { ...bearer(), "Content-Type": "application/sdp" };
  const response = await send(`whep/${encodeURIComponent(key)}`, { method: "POST", headers, body: sdp, signal });
  return { sdp: await response.text(), address: new URL(response.headers.get("Location"), response.url) };
}

/** Stop watching, also while the page is being closed. Resolves soon, whether or not the request has arrived. */
export const stopWatching = (address) => {
  const signal = AbortSignal.timeout(LEAVE_TIMEOUT_MS);
  return send(address, { method: "DELETE", headers: bearer(), keepalive: true, signal }).catch(() => {});
};

/** A value that the address's fragment holds, which browsers never send to a server: `token` or `watch`, or null. */
export const inFragment = (name) => fragment().get(name);

/** Use this token from now on. */
export function setToken(token) {
  const values = fragment();
  values.set("token", token);
  location.hash = values;
}

/** The address at which others watch by a key. Without the access token: who shares it decides who gets that. */
export function addressToWatch(key) {
  const address = new URL(location.href);
  address.hash = new URLSearchParams({ watch: key });
  return address.href;
}

function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}

function bearer() {
  const token = inFragment("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Resolves to the JSON of the response. Rejects with `HttpError`, or with `Error` where no server responds. */
async function request(path, { method = "GET", body, signal, keepalive = false } = {}) {
  const headers = bearer();
  if (body) headers["Content-Type"] = "application/json";
  const response = await send(path, { method, headers, body: body && JSON.stringify(body), signal, keepalive });
  return response.status === 204 ? null : response.json();
}

async function send(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("The server does not respond.");
  });
  if (!response.ok) throw new HttpError(await messageOf(response), response.status);
  return response;
}

async function messageOf(response) {
  if (response.status === 401) return "This server needs its access token, which it printed when it started.";
  try {
    return (await response.json()).error ?? `The server responded with status ${response.status}.`;
  } catch {
    return `The server responded with status ${response.status}.`;
  }
}
