/** The form of controls: what the viewer wants, and what the server has confirmed. */

import { meaningOf, percent, wordFor } from "./words.js";

/** Which controls bear on which effect. */
const FIELDS = {
  tint: ["first", "palette", "alpha", "region", "base"],
  grade: ["first", "strength"],
  style: ["first", "style", "strength"],
  colormap: ["first"],
  colorize: ["vividness"],
  none: [],
};
const RANGES = ["alpha", "strength", "vividness"];
const RADIOS = ["palette", "region", "base"];
const FIRST = "colorize,";
/** A slider that is dragged sends no more often than this. */
const SEND_EVERY_MS = 40;

export class Controls {
  #form;
  #send;
  #changed;
  #values;
  /** Values that were sent and not yet confirmed; the server's word on these is older than the viewer's. */
  #pending = new Map();
  #unsent = {};
  #timer = null;

  /**
   * @param {HTMLFormElement} form
   * @param {object} options of the server: what can be chosen, and the controls at the start
   * @param {{send: (values: object) => void, changed: (values: object) => void}} on
   *   `send` takes wishes to the server; `changed` is told of every value that counts from now on
   */
  constructor(form, options, { send, changed }) {
    this.#form = form;
    this.#send = send;
    this.#changed = changed;
    this.#values = { ...options.controls };
    this.#build(options);
    this.#show();
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => this.#wish(event.target));
  }

  /** All values as the viewer wants them. */
  get wanted() {
    return { ...this.#values, ...Object.fromEntries(this.#pending) };
  }

  /** A new session starts from its own controls: ask for what the viewer wants. */
  sendAll() {
    this.#ask(this.wanted);
    this.#flush();
  }

  /** The server says what holds now. */
  confirm(values) {
    for (const [name, value] of Object.entries(values)) {
      if (this.#pending.has(name) && this.#pending.get(name) !== value) continue;
      this.#pending.delete(name);
      this.#values[name] = value;
    }
    this.#show();
  }

  /** The server could not do what was asked: go back to what it confirmed last. */
  refuse() {
    this.#pending.clear();
    this.#show();
  }

  #wish(input) {
    const { effect, first } = this.#form.elements;
    if (input !== first && !(input.name in this.#values)) return; // the camera's fields
    if (input.name === "effect" || input === first) {
      const chained = first.checked && FIELDS[effect.value]?.includes("first");
      this.#ask({ effect: (chained ? FIRST : "") + effect.value });
    } else if (input.type === "checkbox") this.#ask({ [input.name]: input.checked });
    else if (input.type === "range") this.#ask({ [input.name]: Number(input.value) });
    else this.#ask({ [input.name]: input.value });
    this.#show();
  }

  #ask(values) {
    for (const [name, value] of Object.entries(values)) this.#pending.set(name, value);
    Object.assign(this.#unsent, values);
    if (this.#timer !== null) return;
    this.#flush();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#flush();
    }, SEND_EVERY_MS);
  }

  #flush() {
    if (Object.keys(this.#unsent).length === 0) return;
    this.#send(this.#unsent);
    this.#unsent = {};
  }

  #build({ effects, palettes, regions, bases, styles, controls }) {
    this.#radios("effect", effects.map((name) => [name]));
    const names = Object.keys(palettes).sort((a, b) => (b === controls.palette) - (a === controls.palette));
    this.#radios("palette", names.map((name) => [name, Object.values(palettes[name])]));
    this.#radios("region", regions.map((name) => [name]));
    this.#radios("base", bases.map((name) => [name]));
    if (!effects.includes(bare(controls.effect))) this.#radios("effect", [[controls.effect]]);
    this.#form.elements.style.append(...styles.map((name) => new Option(wordFor("style", name), name)));
  }

  /** Add a radio button for each `[value, colours]`; the colours become swatches before its word. */
  #radios(name, choices) {
    const fieldset = this.#form.querySelector(`[data-choices="${name}"]`);
    for (const [value, colors = []] of choices) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
      label.append(input, ...swatches(colors), wordFor(name, value));
      fieldset.append(label);
    }
  }

  #show() {
    const values = this.wanted;
    const { elements } = this.#form;
    const effect = bare(values.effect);
    const known = effect in FIELDS;
    elements.effect.value = known ? effect : values.effect;
    elements.first.checked = known && values.effect.startsWith(FIRST);
    for (const name of RADIOS) elements[name].value = values[name];
    for (const name of RANGES) {
      elements[name].value = values[name];
      elements[name].ariaValueText = percent(values[name]);
      this.#form.querySelector(`output[for="${name}"]`).value = percent(values[name]);
    }
    elements.style.value = values.style;
    elements.overlay.checked = values.overlay;
    this.#form.querySelector("#effect-meaning").textContent = meaningOf(effect);
    const fields = [...(FIELDS[effect] ?? []), ...(elements.first.checked ? ["vividness"] : [])];
    for (const field of this.#form.querySelectorAll("[data-field]")) {
      field.hidden = known && !fields.includes(field.dataset.field);
    }
    this.#changed(values);
  }
}

/** The effect itself where new colours come first: `colorize,tint` is a tint. */
const bare = (chain) => (chain.startsWith(FIRST) ? chain.slice(FIRST.length) : chain);

function swatches(colors) {
  if (!colors.length) return [];
  const row = document.createElement("span");
  row.className = "swatches";
  row.ariaHidden = "true";
  for (const color of colors) {
    const swatch = document.createElement("span");
    swatch.style.backgroundColor = color;
    row.append(swatch);
  }
  return [row];
}
