/** Sharing the session by a link. Only this page, which owns the session, starts and ends it. */

import * as api from "./api.js";

const SECRET_BYTES = 24;

export class Sharing {
  #settings;
  #secret = null;
  #key = null;

  /**
   * @param {object} settings
   * @param {() => string | null} settings.session the secret of the running session
   * @param {(address: string | null) => void} settings.changed the link by which others watch; null while not shared
   */
  constructor(settings) {
    this.#settings = settings;
  }

  get shared() {
    return this.#key !== null;
  }

  /** @throws {Error} where the server refuses */
  async start() {
    this.#secret ??= randomText(SECRET_BYTES);
    await this.#share();
  }

  /** After a new connection: the session is another one for the server, and the link stays the same. */
  async resume() {
    if (this.shared) await this.#share();
  }

  /** End the connections of those who watch, and forget the link. */
  async stop() {
    const session = this.#settings.session();
    this.forget();
    if (session) await api.unshare(session);
  }

  /** The session has ended, and with it what was shared. */
  forget() {
    this.#secret = this.#key = null;
    this.#settings.changed(null);
  }

  async #share() {
    const secret = this.#secret;
    const { key } = await api.share(this.#settings.session(), secret);
    if (secret !== this.#secret) return; // stopped meanwhile
    this.#key = key;
    this.#settings.changed(api.addressToWatch(key));
  }
}

/** Random bytes in base64url. */
function randomText(count) {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
