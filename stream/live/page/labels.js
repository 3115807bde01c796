/** Words for the server's short names. A name without a label is shown as it is. */

const EFFECTS = {
  tint: ["Tint", "Lays the colour of the emotion over the frame."],
  grade: ["Grade", "Moves the frame’s own colours toward the emotion and protects skin."],
  style: ["Paint", "Paints the frame in the style of the emotion."],
  colormap: ["Colour map", "Colours by lightness alone, whatever the faces show."],
  colorize: ["Colorize", "Gives gray footage natural colours, in place of any colours that it has."],
  overlay: ["Overlay", "Draws boxes, track numbers and probabilities."],
  none: ["None", "Leaves the frame unchanged. Faces are still analysed."],
};

const LABELS = {
  palette: { s0: "Pure", muted: "Muted", colorblind: "Colour-blind safe" },
  region: { frame: "Whole frame", face: "Faces", "keep-face": "All but faces", person: "People", background: "Background" },
  base: { gray: "Gray frame", color: "Its own colours" },
  mode: { blend: "Mixed", argmax: "Most likely" },
  mix: { rgb: "RGB", oklab: "OKLab" },
  several: { largest: "The largest", area: "All, by area", each: "Each its own" },
  fixed: { auto: "Follows the emotion" },
  effect: Object.fromEntries(Object.entries(EFFECTS).map(([name, [label]]) => [name, label])),
};

/** The label of a control's value. */
export const labelOf = (control, value) => LABELS[control]?.[value] ?? value;

/** What an effect does, in a sentence: the page's, or the server's description. */
export const meaningOf = (effect, description = "") => EFFECTS[effect]?.[1] ?? description;

/** A number in [0, 1] as per cent. */
export const percent = (fraction) => `${Math.round(100 * fraction)} %`;
