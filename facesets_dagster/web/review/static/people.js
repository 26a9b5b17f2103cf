// @ts-check
/** Everybody: a grid that holds ten thousand people as well as ten. */

import { html, render } from "./vendor/lit-html.js";
import { getJson } from "./api.js";
import { decideAll } from "./bulk.js";
import { decide, onChange } from "./decide.js";
import { askPerson, askText } from "./dialogs.js";
import { Grid } from "./grid.js";
import { onKey } from "./keys.js";
import { byId, page, say, t } from "./page.js";
import { showPins, togglePin } from "./pins.js";
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
const named = /** @type {HTMLSelectElement} */ (byId("named"));
const most = /** @type {HTMLSelectElement} */ (byId("most"));
const FEW = 200; // names that are sent one by one; more are sent as the filter and the exceptions
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
  selects: page.writes ? "mark" : undefined,
  selected: () => drawSelection(),
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
    if (page.writes) link.appendChild(document.createElement("span")).className = "mark";
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

const chosenNames = () => new Set([...grid.chosen].map((index) => people.name[shown[index]]));

/** Shows those whom the filter means; of those who were selected, the ones who are shown stay so. */
function filter(chosen = chosenNames()) {
  const wanted = plain(search.value.trim());
  const size = Number(most.value) || Infinity;
  shown = people.name
    .map((_, at) => at)
    .filter((at) => spelled[at].includes(wanted) && people.faces[at] <= size)
    .filter((at) => named.value === "" || (named.value === "yes") === Boolean(people.label[at]));
  grid.setCount(shown.length);
  if (chosen.size) grid.choose([...shown.keys()].filter((index) => chosen.has(people.name[shown[index]])));
  byId("count").textContent = t("people.count", { count: shown.length });
}

async function load() {
  const chosen = chosenNames(); // by name: places are others now
  people = await getJson("people");
  spelled = people.name.map((name, at) => plain(`${people.label[at]}\n${name}`));
  filter(chosen);
}

/** Leaves a note of where one was, for the way back. */
function leave() {
  const place = { q: search.value, named: named.value, most: most.value, name: people.name[shown[grid.active]], top: scrollY };
  sessionStorage.setItem(PLACE, JSON.stringify(place));
}

function comeBack() {
  const noted = sessionStorage.getItem(PLACE);
  const kind = /** @type {PerformanceNavigationTiming | undefined} */ (performance.getEntriesByType("navigation")[0])?.type;
  const came = kind === "back_forward" || document.referrer.includes("/review/people/") || location.hash === "#back";
  if (!noted || !came) return;
  const place = JSON.parse(noted);
  if (place.q || place.named || place.most) {
    search.value = place.q;
    named.value = place.named ?? "";
    most.value = place.most ?? "";
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

/** Rules on all who are selected, by what the filter means: the server looks them up. @param {string} kind @param {string} [other] */
async function forAll(kind, other) {
  const names = [...grid.chosen].map((index) => people.name[shown[index]]).filter((name) => name !== other);
  if (!names.length) return;
  const chosen = new Set(names);
  const others = shown.map((at) => people.name[at]).filter((name) => !chosen.has(name) && name !== other);
  const meant = {
    text: search.value.trim(),
    named: named.value,
    most_faces: Number(most.value) || null,
    among: names.length > FEW ? [] : names,
    without: names.length > FEW ? others : [],
  };
  if (await decideAll({ kind, people: meant, other, state: people.state, count: names.length })) grid.choose([]);
}

/** @typedef {{name: string, label: string, seen: Record<string, string>}} One */

/** @param {(one: One) => unknown} action @param {string} [kind] of the ruling on all who are selected */
const act = (action, kind) => () => {
  if (grid.chosen.size && kind) return void forAll(kind);
  const one = focused();
  if (one) void action(one);
};

async function merge(/** @type {One} */ one) {
  const other = await askPerson(t("action.merge_of", { name: one.label || one.name }), one.name);
  if (other) await decide({ kind: "same", person: one.name, other: other.name }, { ...one.seen, [other.name]: other.seen });
}

async function mergeAll() {
  const first = people.name[shown[Math.min(...grid.chosen)]];
  const other = await askPerson(t("bulk.merge_of", { count: grid.chosen.size }), first);
  if (other) await forAll("same", other.name);
}

async function rename(/** @type {One} */ one) {
  const text = await askText(t("action.name_of", { name: one.label || one.name }), one.label);
  if (text !== null) await decide({ kind: "name", person: one.name, text }, one.seen);
}

/** What can be done with all who are selected. */
const TOGETHER = [
  { key: "i", words: "action.ignore", act: act((one) => decide({ kind: "ignore", person: one.name }, one.seen), "ignore") },
  { key: "a", words: "action.approve", act: act((one) => decide({ kind: "approve", person: one.name }, one.seen), "approve") },
  { key: "m", words: "action.merge", act: () => void (grid.chosen.size ? mergeAll() : act(merge)()) },
];

function drawSelection() {
  const count = grid?.chosen.size ?? 0;
  const bar = byId("selection");
  bar.hidden = !page.writes || shown.length === 0;
  if (bar.hidden) return;
  const all = () => grid.choose(shown.keys());
  render(
    html`<p>${count ? t("people.selected", { count }) : nobody()}</p>
      ${count < shown.length
        ? html`<button type="button" aria-keyshortcuts="Control+A" @click=${all}>${t("people.select_all", { count: shown.length })}</button>`
        : ""}
      ${count
        ? html`${TOGETHER.map(
              (one) => html`<button type="button" aria-keyshortcuts=${one.key} @click=${one.act}>${t(one.words)} <kbd aria-hidden="true">${one.key}</kbd></button>`,
            )}
            <button type="button" @click=${() => grid.choose([])}>${t("people.select_none")}</button>`
        : ""}`,
    bar,
  );
}

const nobody = () => html`<span class="quiet">${t("people.select_how")}</span>`;

onKey("n", act(rename));
for (const one of TOGETHER) onKey(one.key, one.act);
onKey("P", act((one) => togglePin(one)));
showPins((to) => (grid.chosen.size ? forAll("same", to.name) : act((one) => decide({ kind: "same", person: one.name, other: to.name }, one.seen))()));
onKey("Escape", () => grid.choose([]));
onChange(async () => {
  const held = byId("people").contains(document.activeElement);
  await load();
  if (held) grid.focus(grid.active);
});

history.scrollRestoration = "manual";
addEventListener("pagehide", leave);
search.form?.addEventListener("submit", (event) => {
  event.preventDefault();
  grid.focus(0);
});
for (const one of [search, named, most]) {
  one.addEventListener("input", () => {
    filter();
    say(t("people.count", { count: shown.length }));
  });
}
onKey("/", () => search.focus());

load().then(comeBack, (error) => say(error.message));
document.documentElement.lang = page.language;
