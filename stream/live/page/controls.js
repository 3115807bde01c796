/**
 * The form of controls: what the user wants, and what the server has confirmed.
 *
 * The server describes every effect and its options as JSON schema (`GET /api/options`), and the form is made of that:
 * a range, a choice, a check box or a text field for each option that may change while a session runs.
 */

import { labelOf, meaningOf, percent } from "./labels.js";

/** The effect that gives gray footage its colours; in a chain it comes first. */
const FIRST = "colorize";
const OVERLAY = "overlay";
const NONE = "none";
/** A slider that is dragged sends no more often than this. */
const SEND_EVERY_MS = 40;
/** Options of an effect that are seen at once; the others are under "More". */
const SEEN = 4;

export class Controls {
  #form;
  #send;
  #changed;
  #values;
  /** The server's description of each effect, by name. */
  #effects;
  /** For each control by name: a function that shows a value. */
  #shows = new Map();
  /** Values that were sent and not yet confirmed; for these, the user's wish is newer than the server's last message. */
  #pending = new Map();
  #unsent = {};
  #timer = null;

  /**
   * @param {HTMLFormElement} form
   * @param {object} options of the server: effects with their schemas, palettes, and the controls at the start
   * @param {{send: (values: object) => void, changed: (values: object) => void}} on
   *   `send` takes wishes to the server; `changed` gets all values whenever one changes
   */
  constructor(form, options, { send, changed }) {
    this.#form = form;
    this.#send = send;
    this.#changed = changed;
    this.#values = { ...options.controls };
    this.#effects = new Map(options.effects.map((effect) => [effect.name, effect]));
    this.#build(options);
    this.#show();
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** All values as the user wants them. */
  get wanted() {
    return { ...this.#values, ...Object.fromEntries(this.#pending) };
  }

  /** A new session starts from its own controls: ask for what the user wants. */
  sendAll() {
    this.#ask(this.wanted);
    this.#flush();
  }

  /** The server reports the values in use. */
  confirm(values) {
    for (const [name, value] of Object.entries(values)) {
      if (this.#pending.has(name) && this.#pending.get(name) !== value) continue;
      this.#pending.delete(name);
      this.#values[name] = value;
    }
    this.#show();
  }

  /** The server refused a wish: go back to what it confirmed last. */
  refuse() {
    this.#pending.clear();
    this.#show();
  }

  #wish(name, value) {
    this.#ask({ [name]: value });
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

  #build({ palettes, controls }) {
    this.#buildChain(controls.effect);
    const place = this.#form.querySelector("#options");
    for (const { name, schema } of this.#effects.values()) {
      const live = Object.entries(schema.properties).filter(([, option]) => option["x-live"]);
      if (live.length === 0) continue;
      const group = Object.assign(document.createElement("fieldset"), { className: "options", name: `options-${name}` });
      group.dataset.effect = name;
      group.append(Object.assign(document.createElement("legend"), { textContent: labelOf("effect", name) }));
      const fields = live.map(([option, described]) => this.#field(`${name}.${option}`, described, palettes));
      group.append(...fields.slice(0, SEEN));
      if (fields.length > SEEN) {
        const more = document.createElement("details");
        more.append(Object.assign(document.createElement("summary"), { textContent: "More" }), ...fields.slice(SEEN));
        group.append(more);
      }
      place.append(group);
    }
  }

  /** The main effect as radio buttons; what can stand before and behind it as check boxes. */
  #buildChain(chain) {
    const { elements } = this.#form;
    const mains = [...this.#effects.keys()].filter((name) => name !== OVERLAY);
    const given = parse(chain).main;
    const choices = mains.includes(given) || given === NONE ? mains : [...mains, given];
    const radios = radioGroup("effect", "Effect", [...choices, NONE], (name) => labelOf("effect", name));
    this.#form.querySelector("#chain").replaceChildren(radios);
    const ask = () => {
      const main = elements.effect.value;
      const first = elements.first.checked && main !== FIRST && main !== NONE;
      this.#wish("effect", join({ main, first, overlay: elements.overlay.checked }));
    };
    radios.addEventListener("change", ask);
    elements.first.addEventListener("change", ask);
    elements.overlay.addEventListener("change", ask);
  }

  /** A labelled control for one option, and the function that shows its value. */
  #field(name, option, palettes) {
    if (name.endsWith(".palette")) return this.#palette(name, option, palettes);
    if (option.enum) return this.#choice(name, option);
    if (option.type === "boolean") return this.#check(name, option);
    if (option.type === "number" || option.type === "integer") return this.#range(name, option);
    return this.#text(name, option);
  }

  #range(name, option) {
    const field = element("div", { className: "range", title: option.description });
    const label = element("label", { htmlFor: name, textContent: option.title });
    const output = element("output", { htmlFor: name, ariaHidden: "true" });
    const { minimum = 0, maximum = 1 } = option;
    const step = option["x-step"] ?? (maximum - minimum) / 100;
    const input = element("input", { type: "range", id: name, name, min: minimum, max: maximum, step });
    input.addEventListener("input", () => this.#wish(name, Number(input.value)));
    const words = minimum === 0 && maximum === 1 ? percent : (value) => unitOf(value, option["x-unit"]);
    this.#shows.set(name, (value) => {
      input.value = value;
      output.value = input.ariaValueText = words(value);
    });
    field.append(label, output, input);
    return field;
  }

  #choice(name, option) {
    const [, short] = name.split(".");
    const field = radioGroup(name, option.title, option.enum, (value) => labelOf(short, value));
    field.title = option.description;
    field.addEventListener("change", (event) => this.#wish(name, event.target.value));
    this.#shows.set(name, (value) => (this.#form.elements[name].value = value));
    return field;
  }

  #palette(name, option, palettes) {
    const names = Object.keys(palettes).sort((a, b) => (b === option.default) - (a === option.default));
    const field = radioGroup(name, option.title, names, (value) => labelOf("palette", value), (value) =>
      swatches(Object.values(palettes[value])),
    );
    field.className = "palettes";
    field.addEventListener("change", (event) => this.#wish(name, event.target.value));
    this.#shows.set(name, (value) => (this.#form.elements[name].value = value));
    return field;
  }

  #check(name, option) {
    const field = element("label", { className: "check", title: option.description });
    const input = element("input", { type: "checkbox", name });
    input.addEventListener("change", () => this.#wish(name, input.checked));
    this.#shows.set(name, (value) => (input.checked = value));
    field.append(input, option.title);
    return field;
  }

  /** A picker where there are values worth offering, else a text field. */
  #text(name, option) {
    const field = element("label", { className: "select", title: option.description, textContent: option.title });
    const offered = option.examples ?? [];
    const input = offered.length ? element("select", { name }) : element("input", { type: "text", name });
    const [, short] = name.split(".");
    input.append(...offered.map((value) => new Option(labelOf(short, value), value)));
    input.addEventListener("change", () => this.#wish(name, input.value));
    this.#shows.set(name, (value) => {
      const shown = value ?? offered[0] ?? "";
      if (offered.length && ![...input.options].some((one) => one.value === shown)) input.append(new Option(shown, shown));
      input.value = shown;
    });
    field.append(input);
    return field;
  }

  #show() {
    const values = this.wanted;
    const { elements } = this.#form;
    const { main, first, overlay, names } = parse(values.effect);
    elements.effect.value = main;
    elements.first.checked = first;
    elements.overlay.checked = overlay;
    for (const [name, show] of this.#shows) if (name in values) show(values[name]);
    this.#form.querySelector("#effect-meaning").textContent = meaningOf(main, this.#effects.get(main)?.description);
    for (const field of this.#form.querySelectorAll("[data-effect]")) field.hidden = !names.includes(field.dataset.effect);
    this.#form.querySelector("#first-field").hidden = main === FIRST || main === NONE;
    this.#changed(values);
  }
}

/** A chain as the form shows it; one that the form cannot make has its own text as main effect. */
function parse(chain) {
  const names = chain === NONE ? [] : chain.split(",");
  const overlay = names.at(-1) === OVERLAY;
  const rest = overlay ? names.slice(0, -1) : names;
  const first = rest.length > 1 && rest[0] === FIRST;
  return { main: (first ? rest.slice(1) : rest).join(",") || NONE, first, overlay, names };
}

function join({ main, first, overlay }) {
  return [...(first ? [FIRST] : []), ...(main === NONE ? [] : [main]), ...(overlay ? [OVERLAY] : [])].join(",") || NONE;
}

function radioGroup(name, title, values, wordOf, before = () => []) {
  const field = element("fieldset", { className: "chips" });
  field.append(element("legend", { textContent: title }));
  for (const value of values) {
    const label = document.createElement("label");
    label.append(element("input", { type: "radio", name, value }), ...before(value), wordOf(value));
    field.append(label);
  }
  return field;
}

function swatches(colors) {
  const row = element("span", { className: "swatches", ariaHidden: "true" });
  for (const color of colors) {
    const swatch = document.createElement("span");
    swatch.style.backgroundColor = color;
    row.append(swatch);
  }
  return [row];
}

function element(kind, properties) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "htmlFor" && kind === "output") made.htmlFor.value = value;
    else made[name] = value;
  }
  return made;
}

const unitOf = (value, unit) => `${Math.round(100 * value) / 100}${unit ? ` ${unit}` : ""}`;
