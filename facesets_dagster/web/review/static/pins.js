// @ts-check
/**
 * People who are pinned: `1` to `9` give them what is selected. Kept by this browser, because they are a habit of who sits
 * at it and nothing that is known of anybody: they outlast a restart and follow merges; another browser has its own.
 */

import { html, render } from "./vendor/lit-html.js";
import { getJson } from "./api.js";
import { onChange } from "./decide.js";
import { onKey } from "./keys.js";
import { byId, page, say, t } from "./page.js";
import { show } from "./thumbs.js";

/** @typedef {{name: string, label: string | null}} Pinned */

const KEPT = "facesets.pins";
const MOST = 9;

/** @type {Pinned[]} in the order of their keys */
let pinned = [];
/** @type {(to: Pinned) => unknown} */
let give = () => undefined;

/** @returns {string[]} */
function kept() {
  const known = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
  return Array.isArray(known) ? known.filter((one) => typeof one === "string").slice(0, MOST) : [];
}

/** @param {string[]} names */
const keep = (names) => localStorage.setItem(KEPT, JSON.stringify(names));

const called = (/** @type {Pinned} */ one) => one.label || one.name;

function draw() {
  const host = byId("pins");
  host.hidden = pinned.length === 0;
  const button = (/** @type {Pinned} */ one, /** @type {number} */ at) =>
    html`<button type="button" aria-keyshortcuts=${at + 1} aria-label=${t("pins.give", { name: called(one) })} @click=${() => give(one)}>
      <kbd aria-hidden="true">${at + 1}</kbd> <img alt="" width="32" height="32" data-person=${one.name} /> <bdi>${called(one)}</bdi>
    </button>`;
  render(html`${pinned.map(button)}`, host);
  for (const picture of host.querySelectorAll("img")) show(picture, `@${picture.dataset.person}`);
}

/** Asks what the pinned are called now, where merges led them, and forgets those who are out of use. */
async function refresh() {
  const names = kept();
  pinned = names.length ? (await getJson(`named?names=${encodeURIComponent(names.join(","))}`)).people : [];
  keep(pinned.map((one) => one.name));
  draw();
}

/** Pins a person, or no more. @param {Pinned} person */
export async function togglePin(person) {
  const names = kept();
  const at = names.indexOf(person.name);
  if (at < 0 && names.length >= MOST) return say(t("pins.full"));
  keep(at < 0 ? [...names, person.name] : names.filter((one) => one !== person.name));
  await refresh();
  say(t(at < 0 ? "pins.pinned" : "pins.unpinned", { name: called(person), key: pinned.length }));
}

/** Shows the pinned, and does `action` for one of them when it is chosen. @param {(to: Pinned) => unknown} action */
export function showPins(action) {
  if (!page.writes) return;
  give = action;
  for (let at = 0; at < MOST; at++) onKey(String(at + 1), () => (pinned[at] ? give(pinned[at]) : say(t("pins.none", { key: at + 1 }))));
  onChange(() => void refresh());
  void refresh().catch((error) => say(error.message));
}

/** The person on a number, for pages whose numbers mean something else as well. @param {number} key @returns {Pinned | undefined} */
export const pinnedOn = (key) => pinned[key - 1];
