// @ts-check
/** One person: all faces as a grid, sorted and filtered in any way. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { ApiError, getJson } from "./api.js";
import { decideAll } from "./bulk.js";
import { decide, onChange } from "./decide.js";
import { askPerson, askText } from "./dialogs.js";
import { Grid } from "./grid.js";
import { onKey } from "./keys.js";
import { showAlike } from "./alike.js";
import { byId, has, page, say, t } from "./page.js";
import { showPins, togglePin } from "./pins.js";
import { show } from "./thumbs.js";

/**
 * @typedef {object} Faces columns of equal length
 * @property {string} seen
 * @property {string} state of the library
 * @property {string | null} [label]
 * @property {string[]} face_id
 * @property {string[]} bucket
 * @property {string[]} path
 * @property {(number | null)[]} rank
 * @property {string[]} states
 * @property {(number | null)[]} value that decided the state
 * @property {(number | null)[]} doubt
 * @property {(number | null)[]} year
 */

const head = byId("person");
const name = head.dataset.name ?? "";
let title = head.dataset.label || name;

/** @type {Faces} */
let faces = { seen: "", state: "", face_id: [], bucket: [], path: [], rank: [], states: [], value: [], doubt: [], year: [] };
/** Places of the faces that the filter means. @type {number[]} */
let shown = [];
const FEW = 200; // faces that are sent one by one; all of a filter are sent as the filter

/** @param {number} at @param {"funnel" | "why"} words */
function stateOf(at, words) {
  const rank = faces.rank[at];
  const state = faces.states[at];
  if (rank !== null) return t("face.rank", { rank });
  if (state === "waits") return t("face.waits");
  const known = [state, state.split(":")[0]].find((one) => has(`${words}.${one}`));
  const value = words === "why" && faces.value[at] !== null ? ` (${Number(faces.value[at]).toPrecision(3)})` : "";
  return (known ? t(`${words}.${known}`) : state.replaceAll("_", " ")) + value;
}

const grid = new Grid(byId("faces"), {
  label: t("person.grid", { name: title }),
  width: 132,
  height: 186,
  selects: "click",
  make() {
    const figure = document.createElement("div");
    const picture = figure.appendChild(document.createElement("img"));
    picture.alt = "";
    picture.width = picture.height = 128;
    picture.draggable = false;
    figure.appendChild(document.createElement("span")).className = "state";
    figure.appendChild(document.createElement("bdi")).className = "quiet";
    return figure;
  },
  draw(figure, place, cell) {
    const index = shown[place];
    const photo = `${faces.bucket[index]}/${faces.path[index]}`;
    const year = faces.year[index];
    const doubt = faces.doubt[index];
    show(/** @type {HTMLImageElement} */ (figure.children[0]), faces.face_id[index]);
    figure.children[1].textContent = stateOf(index, "funnel");
    figure.children[1].classList.toggle("out", faces.rank[index] === null);
    figure.children[2].textContent = [year, doubt === null ? null : doubt.toFixed(2)].filter((one) => one !== null).join(" · ");
    figure.title = `${photo}\n${stateOf(index, "why")}`;
    const words = { number: place + 1, of: shown.length, state: stateOf(index, "why"), photo };
    cell.setAttribute("aria-label", t("face.words", words));
  },
  open: (index) => openPhoto(index),
  selected: () => drawActions(),
});

/** @param {number} place */
function openPhoto(place) {
  const index = shown[place];
  const dialog = document.createElement("dialog");
  dialog.className = "photo";
  dialog.setAttribute("aria-label", t("photo.title"));
  const photo = `${faces.bucket[index]}/${faces.path[index]}`;
  render(
    html`<p><button type="button" autofocus @click=${() => dialog.close()}>${t("close")}</button></p>
      <img src="/review/api/photo/${encodeURIComponent(faces.face_id[index])}.webp" alt=${t("photo.picture")} />
      <p><bdi>${photo}</bdi></p>`,
    dialog,
  );
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    grid.focus(place);
  });
  dialog.showModal();
}

const asked = () => new URLSearchParams(location.search);
const only = () => asked().get("only") ?? "";

/** Whether the filter means a face, as the server decides it too. @param {number} at @param {string} wanted */
function isMeant(at, wanted) {
  const [kind, ...rest] = wanted.split(":");
  const value = rest.join(":");
  if (kind === "exported" || kind === "left_out") return (faces.rank[at] !== null) === (kind === "exported");
  if (kind === "state") return faces.rank[at] === null && faces.states[at].split(":")[0] === value;
  return kind !== "bucket" || faces.bucket[at] === value;
}

function filter() {
  shown = faces.face_id.map((_, at) => at).filter((at) => isMeant(at, only()));
  if (!shown.length && only() && faces.face_id.length) return go({ only: "" });
  grid.setCount(shown.length);
  drawFilters();
}

async function load() {
  faces = await getJson(`people/${encodeURIComponent(name)}/faces?by=${asked().get("by") ?? "rank"}`);
  filter();
}

/** Each filter that means some of the faces, with how many. */
function drawFilters() {
  const every = [...faces.face_id.keys()];
  const buckets = [...new Set(faces.bucket)].sort();
  const states = [...new Set(every.filter((at) => faces.rank[at] === null).map((at) => faces.states[at].split(":")[0]))].sort();
  const link = (/** @type {string} */ key, /** @type {string} */ words) => {
    const count = every.filter((at) => isMeant(at, key)).length;
    if (!count) return "";
    const to = (/** @type {Event} */ event) => (event.preventDefault(), go({ only: key }), say(t("people.faces", { count: shown.length })));
    return html`<a href="?only=${encodeURIComponent(key)}" aria-current=${only() === key ? "true" : nothing} @click=${to}><bdi>${words}</bdi> <span class="quiet">${count}</span></a> `;
  };
  const waits = (/** @type {string} */ state) => (state === "waits" ? t("face.waits") : has(`funnel.${state}`) ? t(`funnel.${state}`) : state);
  const host = byId("only");
  if (!host.dataset.drawn) host.replaceChildren();
  host.dataset.drawn = "yes";
  render(
    html`${link("", t("filter.all"))}${link("exported", t("filter.exported"))}${link("left_out", t("filter.left_out"))}
      ${states.length > 1 ? states.map((one) => link(`state:${one}`, waits(one))) : ""}
      ${buckets.length > 1 ? buckets.map((one) => link(`bucket:${one}`, one)) : ""}`,
    host,
  );
}

/** Shows the faces in another order, or others. @param {Record<string, string>} values */
function go(values) {
  const next = asked();
  for (const [key, value] of Object.entries(values)) value ? next.set(key, value) : next.delete(key);
  history.replaceState(null, "", next.size ? `?${next}` : location.pathname);
  if ("by" in values) return load();
  filter();
  return Promise.resolve();
}

/** @param {import("./decide.js").Statement} statement @param {Record<string, string>} [seen] */
const decided = (statement, seen = {}) => decide({ person: name, ...statement }, { [name]: faces.seen, ...seen });

/** Rules on faces; on all that a filter means as the filter, which the server evaluates.
 * @param {string} kind @param {string[]} picked @param {string} [to] the person whose they are now @param {Record<string, string>} [seen]
 */
function onFaces(kind, picked, to, seen) {
  if (picked.length === shown.length && picked.length > FEW) {
    return decideAll({ kind, faces: { person: name, only: only(), without: [] }, other: to, state: faces.state, count: picked.length });
  }
  const person = kind === "assign" ? to : kind === "not_person" ? name : undefined;
  return decide({ kind, person, faces: picked }, { [name]: faces.seen, ...seen });
}

/** @param {(picked: string[]) => unknown} action */
const withFaces = (action) => () => {
  const picked = grid.picked().map((at) => faces.face_id[shown[at]]);
  if (picked.length) action(picked);
  else say(t("action.select"));
};

/** What can be done, each by a key and by a button. */
const ACTIONS = [
  {
    key: "n",
    words: "action.name",
    faces: false,
    async act() {
      const text = await askText(t("action.name_of", { name: title }), faces.label ?? "");
      if (text !== null) await decided({ kind: "name", text });
    },
  },
  {
    key: "m",
    words: "action.merge",
    faces: false,
    async act() {
      const other = await askPerson(t("action.merge_of", { name: title }), name);
      if (other) await decided({ kind: "same", other: other.name }, { [other.name]: other.seen });
    },
  },
  { key: "P", words: "action.pin", faces: false, act: () => togglePin({ name, label: title === name ? null : title }) },
  { key: "i", words: "action.ignore", faces: false, act: () => decided({ kind: "ignore" }) },
  { key: "a", words: "action.approve", faces: false, act: () => decided({ kind: "approve" }) },
  {
    key: "v",
    words: "action.move",
    faces: true,
    act: withFaces(async (picked) => {
      const other = await askPerson(t("action.move_to", { count: picked.length }), name, picked);
      if (other) await onFaces("assign", picked, other.name, { [other.name]: other.seen });
    }),
  },
  {
    key: "x",
    words: "action.not_person",
    faces: true,
    act: withFaces((picked) => onFaces("not_person", picked)),
  },
  {
    key: "p",
    words: "action.split",
    faces: true,
    act: withFaces((picked) => {
      const stays = faces.face_id.find((one) => !picked.includes(one));
      if (stays === undefined) return say(t("action.split_some"));
      return decided({ kind: "split", parts: [[stays], picked] });
    }),
  },
  {
    key: "f",
    words: "action.feature",
    faces: true,
    act: withFaces((picked) => decided({ kind: "feature", faces: picked.slice(0, 1) })),
  },
  {
    key: "I",
    words: "action.not_a_face",
    faces: true,
    act: withFaces((picked) => onFaces("not_a_face", picked)),
  },
];

function drawActions() {
  if (!page.writes) return;
  const count = grid?.chosen.size ?? 0;
  const button = (/** @type {typeof ACTIONS[number]} */ one) =>
    html`<button type="button" aria-keyshortcuts=${/[A-Z]/.test(one.key) ? `Shift+${one.key}` : one.key} @click=${one.act}>
      ${t(one.words)} <kbd aria-hidden="true">${/[A-Z]/.test(one.key) ? `⇧${one.key.toLowerCase()}` : one.key}</kbd></button>`;
  render(html`${ACTIONS.filter((one) => !one.faces).map(button)}`, byId("actions"));
  const bar = byId("selection");
  bar.hidden = count === 0;
  const all = () => grid.choose(shown.keys());
  const more = html`<button type="button" aria-keyshortcuts="Control+A" @click=${all}>${t("person.select_all", { count: shown.length })}</button>`;
  render(html`<p>${t("person.selected", { count })}</p>${count < shown.length ? more : ""}${ACTIONS.filter((one) => one.faces).map(button)}`, bar);
}

/** Shows the person as they are now; back to everybody if they are not in use any more. */
async function refresh() {
  const at = grid.active;
  const held = byId("faces").contains(document.activeElement);
  try {
    await load();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    setTimeout(() => location.assign("/review/people#back"), 900);
    return;
  }
  title = faces.label || name;
  const words = head.querySelector("bdi");
  if (words) words.textContent = title;
  byId("faces-count").textContent = t("people.faces", { count: faces.face_id.length });
  if (held) grid.focus(at);
  void showAlike(name, () => faces.seen);
}

if (page.writes) for (const one of ACTIONS) onKey(one.key, () => void one.act());
onChange(() => void refresh());
drawActions();
showPins((to) => {
  if (to.name === name) return say(t("pins.same"));
  withFaces((picked) => onFaces("assign", picked, to.name))();
});

for (const link of document.querySelectorAll("[data-by]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    for (const one of document.querySelectorAll("[data-by]")) one === link ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current");
    await go({ by: /** @type {HTMLElement} */ (link).dataset.by ?? "rank" });
    say(/** @type {HTMLElement} */ (link).textContent ?? "");
  });
}

onKey("Escape", () => {
  if (grid.chosen.size) grid.choose([]);
  else location.assign("/review/people#back");
});

load().then(
  () => {
    grid.focus(0, false);
    void showAlike(name, () => faces.seen);
  },
  (error) => say(error.message),
);
