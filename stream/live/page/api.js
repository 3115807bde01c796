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

/** Use this token from now on. It is kept in the address's fragment, which browsers never send to a server. */
export function setToken(token) {
  location.hash = new URLSearchParams({ token });
}

function bearer() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Resolves to the JSON of the response. Rejects with `HttpError`, or with `Error` where no server responds. */
async function request(path, { method = "GET", body, signal, keepalive = false } = {}) {
  const headers = bearer();
  if (body) headers["Content-Type"] = "application/json";
  const sent = fetch(path, { method, headers, body: body && JSON.stringify(body), signal, keepalive });
  const response = await sent.catch(() => {
    throw new Error("The server does not respond.");
  });
  if (!response.ok) throw new HttpError(await messageOf(response), response.status);
  return response.status === 204 ? null : response.json();
}

async function messageOf(response) {
  if (response.status === 401) return "This server needs its access token, which it printed when it started.";
  try {
    return (await response.json()).error ?? `The server responded with status ${response.status}.`;
  } catch {
    return `The server responded with status ${response.status}.`;
  }
}
