// @ts-check
/** Keys that act on the whole page. Single letters can be switched off (WCAG 2.1.4), and never act while one types. */

const OFF = "facesets.letters.off";

/** @type {Map<string, (event: KeyboardEvent) => void>} */
const actions = new Map();
/** @type {Map<string, () => void>} */
const after = new Map();
let begun = 0;

export const lettersAct = () => localStorage.getItem(OFF) === null;

/** @param {boolean} act */
export const switchLetters = (act) => (act ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "yes"));

/** Does `action` when a key is pressed. @param {string} key @param {(event: KeyboardEvent) => void} action */
export const onKey = (key, action) => actions.set(key, action);

/** Does `action` when `g` and then this key are pressed. @param {string} key @param {() => void} action */
export const onGo = (key, action) => after.set(key, action);

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || (target.matches("input, textarea, select") && !target.matches("[type=checkbox]")));

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const isLetter = event.key.length === 1;
  if (isLetter && !lettersAct()) return;
  if (begun && event.timeStamp - begun < 1500 && after.has(event.key)) {
    begun = 0;
    event.preventDefault();
    after.get(event.key)?.();
    return;
  }
  begun = event.key === "g" ? event.timeStamp : 0;
  const action = actions.get(event.key);
  if (action) {
    event.preventDefault();
    action(event);
  }
});
