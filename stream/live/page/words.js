/** Plain words for what the server calls by its short names; a name that is not here stands for itself. */

const EFFECTS = {
  tint: ["Tint", "Lays the colour of the emotion over the frame."],
  grade: ["Grade", "Moves the frame’s own colours toward the emotion and protects skin."],
  style: ["Paint", "Paints the frame in the style of the emotion."],
  colormap: ["Colour map", "Colours by light and dark alone; faces play no part in it."],
  colorize: ["Colorize", "Gives gray footage natural colours. Colours that are there are replaced."],
  overlay: ["Overlay", "Draws boxes, track numbers and probabilities."],
  none: ["None", "Leaves the frame as it is; faces are analysed all the same."],
};

const WORDS = {
  palette: { s0: "Pure", muted: "Muted", colorblind: "Colour-blind safe" },
  region: { frame: "Whole frame", face: "Faces", "keep-face": "All but faces", person: "People", background: "Background" },
  base: { gray: "Gray frame", color: "Its own colours" },
  mode: { blend: "Mixed", argmax: "Most likely" },
  mix: { rgb: "RGB", oklab: "OKLab" },
  several: { largest: "The largest", area: "All, by area", each: "Each its own" },
  fixed: { auto: "Follows the emotion" },
  effect: Object.fromEntries(Object.entries(EFFECTS).map(([name, [word]]) => [name, word])),
};

/** What a value of a control is called on the page; one that is not here stands for itself. */
export const wordFor = (control, value) => WORDS[control]?.[value] ?? value;

/** What an effect does, in a sentence: the page's, or the server's description. */
export const meaningOf = (effect, description = "") => EFFECTS[effect]?.[1] ?? description;

/** A fraction as per cent. */
export const percent = (part) => `${Math.round(100 * part)} %`;
