/** Keyboard shortcuts for buttons. */

/** Elements that use letters themselves, and those that use the space bar. */
const TAKES_LETTERS = "input:not([type=radio], [type=checkbox], [type=range]), select, textarea";
const TAKES_SPACE = "input:not([type=range], [type=radio]:checked), select, textarea, button, summary, a[href]";

/**
 * Press a button when its key is pressed.
 *
 * @param {Object<string, HTMLButtonElement[]>} buttons by key, as in `KeyboardEvent.key` in lower case; of several, the
 *   first visible one is pressed
 */
export function pressByKey(buttons) {
  document.addEventListener("keydown", (event) => {
    const button = buttons[event.key.toLowerCase()]?.find((one) => !one.hidden);
    const other = event.repeat || event.ctrlKey || event.metaKey || event.altKey;
    if (!button || other || event.target.matches(event.key === " " ? TAKES_SPACE : TAKES_LETTERS)) return;
    event.preventDefault();
    button.click();
  });
}
