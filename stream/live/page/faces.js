/** A panel for each face: its present emotion in words and bars, and its last minute. */

import { draw, inWords, Timeline } from "./timeline.js";
import { percent } from "./labels.js";

/** How long a face that is out of sight keeps its panel. */
const LINGER_S = 5;
const MAX_PANELS = 4;
/** How far from the centre a face must be to be called left or right, as a fraction of the frame's width. */
const OFF_CENTRE = 0.12;
const SUMMARY_INTERVAL_S = 2;

export class Faces {
  #list;
  #emotions;
  #colors = [];
  #panels = new Map();
  #mirrored = false;

  /**
   * @param {HTMLElement} list that the panels go into
   * @param {string[]} emotions in the order of the probabilities
   */
  constructor(list, emotions) {
    this.#list = list;
    this.#emotions = emotions;
  }

  /** Use a palette: a colour for each emotion, by name. */
  usePalette(palette) {
    this.#colors = this.#emotions.map((emotion) => palette[emotion]);
    this.#emotions.forEach((emotion, k) => this.#list.style.setProperty(`--${emotion}`, this.#colors[k]));
  }

  /** Whether the video is shown mirrored: left and right are those that the user sees. */
  mirror(mirrored) {
    this.#mirrored = mirrored;
  }

  /** Show the faces of a state message that arrived at a time, in seconds. */
  update(faces, time) {
    for (const face of faces.slice(0, MAX_PANELS)) {
      const panel = this.#panels.get(face.id) ?? this.#open(face.id);
      panel.update(face, time, this.#sideOf(face));
    }
    for (const [id, panel] of this.#panels) {
      panel.element.classList.toggle("away", time - panel.seen > 0.5);
      if (time - panel.seen > LINGER_S) this.#close(id);
    }
    for (const panel of this.#panels.values()) panel.draw(time, this.#colors);
  }

  /** Remove all panels. */
  clear() {
    for (const id of this.#panels.keys()) this.#close(id);
  }

  #open(id) {
    const panel = new Panel(id, this.#emotions);
    this.#panels.set(id, panel);
    this.#list.append(panel.element);
    return panel;
  }

  #close(id) {
    this.#panels.get(id).element.remove();
    this.#panels.delete(id);
  }

  #sideOf({ box: [x, , width] }) {
    const off = (x + width / 2 - 0.5) * (this.#mirrored ? -1 : 1);
    if (Math.abs(off) < OFF_CENTRE) return "in the middle";
    return off < 0 ? "on the left" : "on the right";
  }
}

class Panel {
  seen = 0;
  #id;
  #emotions;
  #parts;
  #bars;
  #certainty;
  #timeline = new Timeline();
  #drawn = 0;
  #summed = -Infinity;

  constructor(id, emotions) {
    this.#id = id;
    this.#emotions = emotions;
    const { element, parts } = fromTemplate("face-template");
    this.element = element;
    this.#parts = parts;
    const bars = [...emotions, "certainty"].map((word) => new Bar(word));
    parts.bars.append(...bars.map((bar) => bar.element));
    this.#certainty = bars.pop();
    this.#bars = bars;
  }

  update({ emotion, probabilities, certainty }, time, side) {
    this.seen = time;
    this.#timeline.add(time, probabilities, certainty);
    write(this.#parts.name, `Face ${this.#id}, ${side}`);
    write(this.#parts.emotion, emotion);
    this.#parts.emotion.dataset.emotion = emotion;
    this.#bars.forEach((bar, k) => bar.show(probabilities[k], certainty));
    this.#certainty.show(certainty, 1);
  }

  draw(time, colors) {
    const step = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 0.25;
    if (Math.floor(time / step) === this.#drawn) return;
    this.#drawn = Math.floor(time / step);
    const { canvas, summary } = this.#parts;
    draw(canvas, this.#timeline.stretches(time), colors, getComputedStyle(canvas).getPropertyValue("--line"));
    if (time - this.#summed < SUMMARY_INTERVAL_S) return;
    this.#summed = time;
    const words = inWords(this.#timeline.mean(time), this.#emotions);
    write(summary, words);
    canvas.ariaLabel = `Face ${this.#id}. ${words}`;
  }
}

class Bar {
  #parts;

  constructor(word) {
    const { element, parts } = fromTemplate("bar-template");
    this.element = element;
    this.#parts = parts;
    element.dataset.emotion = word;
    parts.word.textContent = word;
  }

  /** Fill the bar to a fraction, paler where it is less certain. */
  show(part, certainty) {
    this.#parts.fill.style.width = percent(part).replace(" ", "");
    this.#parts.fill.style.setProperty("--certainty", certainty.toFixed(2));
    write(this.#parts.part, percent(part));
  }
}

function fromTemplate(id) {
  const element = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
  return { element, parts };
}

/** Write text only where it changes, or screen readers would read it again. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
