// @ts-check
/** The people whom a person looks most like: one key says that the nearest is the same person, one that it is another. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { ApiError, getJson } from "./api.js";
import { decide } from "./decide.js";
import { onKey } from "./keys.js";
import { byId, page, say, t } from "./page.js";
import { show } from "./thumbs.js";

/** @typedef {{name: string, label: string | null, faces: number, seen: string, distance: number, apart: boolean}} Alike */

const MOST = 6;

/** @type {Alike[]} */
let alike = [];

/**
 * Shows them, the nearest first, without those of whom it is said that they are others.
 * @param {string} name @param {() => string} seen digest of the person as they are shown
 */
export async function showAlike(name, seen) {
  /** @type {Alike[]} */
  let found = [];
  try {
    found = (await getJson(`similar/${encodeURIComponent(name)}`)).people;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error; // the person is not in use any more
  }
  alike = found.filter((one) => !one.apart).slice(0, MOST);
  byId("alike").hidden = alike.length === 0;
  const rule = (/** @type {string} */ kind, /** @type {Alike | undefined} */ one) =>
    one ? void decide({ kind, person: name, other: one.name }, { [name]: seen(), [one.name]: one.seen }) : say(t("alike.nobody"));
  const button = (/** @type {string} */ kind, /** @type {Alike} */ one, /** @type {number} */ at, /** @type {string} */ key) =>
    html`<button type="button" data-key=${key} aria-label=${t(`alike.${kind}_of`, { name: one.label || one.name })}
      aria-keyshortcuts=${at ? nothing : key} @click=${() => rule(kind, one)}>${t(`alike.${kind}`)} ${at ? nothing : html`<kbd aria-hidden="true">${key}</kbd>`}</button>`;
  render(
    html`${alike.map(
      (one, at) => html`<li>
        <a href="/review/people/${encodeURIComponent(one.name)}"><img alt="" width="72" height="72" data-person=${one.name} />
          <b><bdi>${one.label || one.name}</bdi></b></a>
        <span class="quiet">${t("face.distance", { distance: one.distance.toFixed(2) })} · ${t("people.faces", { count: one.faces })}</span>
        ${page.writes ? html`<span class="two">${button("same", one, at, "s")}${button("different", one, at, "d")}</span>` : nothing}
      </li>`,
    )}`,
    byId("alike-list"),
  );
  for (const picture of byId("alike-list").querySelectorAll("img")) show(picture, `@${picture.dataset.person}`);
  if (!page.writes) return;
  const focused = () => [...byId("alike-list").children].findIndex((one) => one.contains(document.activeElement));
  onKey("s", () => rule("same", alike[Math.max(0, focused())]));
  onKey("d", () => rule("different", alike[Math.max(0, focused())]));
}
