// @ts-check
/** Everybody: a grid that holds ten thousand people as well as ten. */

import { getJson } from "./api.js";
import { decide, onChange } from "./decide.js";
import { askPerson, askText } from "./dialogs.js";
import { Grid } from "./grid.js";
import { onKey } from "./keys.js";
import { byId, page, say, t } from "./page.js";
import { show } from "./thumbs.js";

/**
 * @typedef {object} People columns of equal length
 * @property {string} state
 * @property {string[]} name
 * @property {string[]} label
 * @property {number[]} faces
 * @property {string[]} seen
 * @property {number[]} waits
 */

const PLACE = "facesets.people.place";
const search = /** @type {HTMLInputElement} */ (byId("q"));
const plain = (/** @type {string} */ text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** @type {People} */
let people = { state: "", name: [], label: [], faces: [], seen: [], waits: [] };
/** @type {string[]} */
let spelled = [];
/** @type {number[]} */
let shown = [];

const grid = new Grid(byId("people"), {
  label: t("people.grid"),
  width: 148,
  height: 198,
  make() {
    const link = document.createElement("a");
    link.tabIndex = -1;
    const picture = link.appendChild(document.createElement("img"));
    picture.alt = "";
    picture.width = picture.height = 128;
    picture.draggable = false;
    const name = link.appendChild(document.createElement("bdi"));
    name.className = "name";
    link.appendChild(document.createElement("span")).className = "quiet";
    return link;
  },
  draw(content, index, cell) {
    const at = shown[index];
    const link = /** @type {HTMLAnchorElement} */ (content);
    const name = people.label[at] || people.name[at];
    const faces = t("people.faces", { count: people.faces[at] });
    const waits = people.waits[at] ? ` · ${t("people.waits")}` : "";
    link.href = `/review/people/${encodeURIComponent(people.name[at])}`;
    show(/** @type {HTMLImageElement} */ (link.children[0]), `@${people.name[at]}`);
    link.children[1].textContent = name;
    link.children[2].textContent = faces + waits;
    link.title = people.label[at] ? `${name} (${people.name[at]})` : name;
    cell.setAttribute("aria-label", `${name}, ${faces}${waits}`);
  },
  open(index) {
    location.assign(`/review/people/${encodeURIComponent(people.name[shown[index]])}`);
  },
});

/** @param {{keep?: boolean}} [how] */
function filter(how = {}) {
  const wanted = plain(search.value.trim());
  shown = people.name.map((_, at) => at).filter((at) => spelled[at].includes(wanted));
  grid.setCount(shown.length, how);
  byId("count").textContent = t("people.count", { count: shown.length });
}

async function load(how = {}) {
  people = await getJson("people");
  spelled = people.name.map((name, at) => plain(`${people.label[at]}\n${name}`));
  filter(how);
}

/** Leaves a note of where one was, for the way back. */
function leave() {
  const place = { q: search.value, name: people.name[shown[grid.active]], top: scrollY };
  sessionStorage.setItem(PLACE, JSON.stringify(place));
}

function comeBack() {
  const noted = sessionStorage.getItem(PLACE);
  const kind = /** @type {PerformanceNavigationTiming | undefined} */ (performance.getEntriesByType("navigation")[0])?.type;
  const came = kind === "back_forward" || document.referrer.includes("/review/people/") || location.hash === "#back";
  if (!noted || !came) return;
  const place = JSON.parse(noted);
  if (place.q) {
    search.value = place.q;
    filter();
  }
  const index = shown.findIndex((at) => people.name[at] === place.name);
  scrollTo(0, place.top);
  if (index >= 0) {
    grid.activate(index);
    grid.draw();
    grid.at(index)?.focus({ preventScroll: true });
  }
}

/** The person whose tile has the focus. */
function focused() {
  const at = shown[grid.active];
  if (at === undefined || !byId("people").contains(document.activeElement)) return null;
  return { name: people.name[at], label: people.label[at], seen: { [people.name[at]]: people.seen[at] } };
}

onKey("n", async () => {
  const one = focused();
  const text = one && (await askText(t("action.name_of", { name: one.label || one.name }), one.label));
  if (one && text !== null) await decide({ kind: "name", person: one.name, text }, one.seen);
});
onKey("m", async () => {
  const one = focused();
  const other = one && (await askPerson(t("action.merge_of", { name: one.label || one.name }), one.name));
  if (!one || !other) return;
  await decide({ kind: "same", person: one.name, other: other.name }, { ...one.seen, [other.name]: other.seen });
});
onKey("i", async () => {
  const one = focused();
  if (one) await decide({ kind: "ignore", person: one.name }, one.seen);
});
onKey("a", async () => {
  const one = focused();
  if (one) await decide({ kind: "approve", person: one.name }, one.seen);
});
onChange(async () => {
  const held = byId("people").contains(document.activeElement);
  await load({ keep: true });
  if (held) grid.focus(grid.active);
});

history.scrollRestoration = "manual";
addEventListener("pagehide", leave);
search.form?.addEventListener("submit", (event) => {
  event.preventDefault();
  grid.focus(0);
});
search.addEventListener("input", () => {
  filter();
  say(t("people.count", { count: shown.length }));
});
onKey("/", () => search.focus());

load().then(comeBack, (error) => say(error.message));
document.documentElement.lang = page.language;
