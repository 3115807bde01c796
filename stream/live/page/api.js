/** What the page asks the server by HTTP. */

const LEAVING_MS = 2000;

/** The server's refusal: its own line, and the HTTP status. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** What can be chosen, and the controls at the start. */
export const options = () => ask("api/options");

/** Hand over an SDP offer; resolves to `{type, sdp, session}`. */
export const offer = (description, record, signal) =>
  ask("api/offer", { method: "POST", body: { ...description.toJSON(), record }, signal });

/** End a session, also while the page is being left; resolves soon, whether the server has heard of it or not. */
export const leave = (session) => {
  const path = `api/sessions/${encodeURIComponent(session)}`;
  return ask(path, { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(LEAVING_MS) }).catch(() => {});
};

/** Use this token from now on; it stays in the fragment of the address, which no server is sent. */
export function setToken(token) {
  location.hash = new URLSearchParams({ token });
}

function bearer() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Resolves to the JSON of the answer. Rejects with `Refusal`, or another `Error` where no server answers. */
async function ask(path, { method = "GET", body, signal, keepalive = false } = {}) {
  const headers = bearer();
  if (body) headers["Content-Type"] = "application/json";
  const request = fetch(path, { method, headers, body: body && JSON.stringify(body), signal, keepalive });
  const answer = await request.catch(() => {
    throw new Error("The server does not answer.");
  });
  if (!answer.ok) throw new Refusal(await lineOf(answer), answer.status);
  return answer.status === 204 ? null : answer.json();
}

async function lineOf(answer) {
  if (answer.status === 401) return "This server asks for its access token, which it printed at its start.";
  try {
    return (await answer.json()).error ?? `The server answered ${answer.status}.`;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}
