// @ts-check
/** What the server says of this page: its words, its settings, and where people are told what happened. */

/** @param {string} id */
const read = (id) => JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "{}");

/** @type {Record<string, string>} */
const words = read("words");

/** @type {{language: string, writes: boolean, whyNot: string | null, who: string | null, waiting: number, state: string}} */
export const page = read("page");

const plural = new Intl.PluralRules(page.language);

/**
 * The text of a key; with `count` its singular or plural.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const full = "count" in values ? `${key}.${plural.select(Number(values.count)) === "one" ? "one" : "other"}` : key;
  return (words[full] ?? full).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @typedef {{key: string, values: Record<string, string | number | Said>}} Said a text that is not in words yet */

/** What a ruling says. @param {Said} said @returns {string} */
export const inWords = ({ key, values }) =>
  t(key, Object.fromEntries(Object.entries(values).map(([name, one]) => [name, typeof one === "object" ? inWords(one) : one])));

/** Whether there is a text of this key. @param {string} key */
export const has = (key) => key in words;

/** Says in the live region what happened. @param {string} text */
export function say(text) {
  const said = /** @type {HTMLElement} */ (document.getElementById("said"));
  said.textContent = "";
  requestAnimationFrame(() => (said.textContent = text));
}

/** The element with this id. @param {string} id @returns {HTMLElement} */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
