/** Plain words for what the server calls by its short names; a name that is not here stands for itself. */

const EFFECTS = {
  tint: ["Tint", "Lays the colour of the emotion over the picture."],
  grade: ["Grade", "Moves the picture’s own colours toward the emotion and leaves skin its hue."],
  style: ["Paint", "Paints the picture in the style of the emotion."],
  colormap: ["Colour map", "Colours by light and dark alone; faces play no part in it."],
  colorize: ["Colorize", "Gives a gray picture natural colours. One in colour loses its own."],
  none: ["None", "Leaves the picture as it is; faces are read all the same."],
};

const WORDS = {
  palette: { s0: "Pure", muted: "Muted", colorblind: "Colour-blind safe" },
  region: { frame: "Whole picture", face: "Faces", person: "People", background: "Background" },
  base: { gray: "Gray picture", color: "Its own colours" },
  style: { auto: "Follows the emotion" },
  effect: Object.fromEntries(Object.entries(EFFECTS).map(([name, [word]]) => [name, word])),
};

/** What a control's value is called on the page. */
export const wordFor = (control, value) => WORDS[control]?.[value] ?? value;

/** What an effect does, in a sentence; empty for one that the page does not know. */
export const meaningOf = (effect) => EFFECTS[effect]?.[1] ?? "";

/** A part of one as per cent. */
export const percent = (part) => `${Math.round(100 * part)} %`;
