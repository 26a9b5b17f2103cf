// @ts-check
/** One person: all faces as a grid, sorted in any way. */

import { html, render } from "./vendor/lit-html.js";
import { ApiError, getJson } from "./api.js";
import { decide, onChange } from "./decide.js";
import { askPerson, askText } from "./dialogs.js";
import { Grid } from "./grid.js";
import { onKey } from "./keys.js";
import { byId, has, page, say, t } from "./page.js";
import { show } from "./thumbs.js";

/**
 * @typedef {object} Faces columns of equal length
 * @property {string} seen
 * @property {string | null} [label]
 * @property {string[]} face_id
 * @property {string[]} bucket
 * @property {string[]} path
 * @property {(number | null)[]} rank
 * @property {string[]} state
 * @property {(number | null)[]} doubt
 * @property {(number | null)[]} year
 */

const head = byId("person");
export const name = head.dataset.name ?? "";
let title = head.dataset.label || name;

/** @type {Faces} */
export let faces = { seen: "", face_id: [], bucket: [], path: [], rank: [], state: [], doubt: [], year: [] };

/** @param {number} at */
function stateOf(at) {
  const rank = faces.rank[at];
  if (rank !== null) return t("face.rank", { rank });
  const [state] = faces.state[at].split(":");
  if (faces.state[at] === "waits") return t("face.waits");
  return has(`funnel.${state}`) ? t(`funnel.${state}`) : faces.state[at].replaceAll("_", " ");
}

export const grid = new Grid(byId("faces"), {
  label: t("person.grid", { name: title }),
  width: 132,
  height: 186,
  selects: true,
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
  draw(figure, index, cell) {
    const photo = `${faces.bucket[index]}/${faces.path[index]}`;
    const year = faces.year[index];
    const doubt = faces.doubt[index];
    show(/** @type {HTMLImageElement} */ (figure.children[0]), faces.face_id[index]);
    figure.children[1].textContent = stateOf(index);
    figure.children[1].classList.toggle("out", faces.rank[index] === null);
    figure.children[2].textContent = [year, doubt === null ? null : doubt.toFixed(2)].filter((one) => one !== null).join(" · ");
    figure.title = photo;
    const words = { number: index + 1, of: faces.face_id.length, state: stateOf(index), photo };
    cell.setAttribute("aria-label", t("face.words", words));
  },
  open: (index) => openPhoto(index),
  selected: () => drawActions(),
});

/** @param {number} index */
function openPhoto(index) {
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
    grid.focus(index);
  });
  dialog.showModal();
}

/** @param {string} by */
export async function load(by = current()) {
  faces = await getJson(`people/${encodeURIComponent(name)}/faces?by=${by}`);
  grid.setCount(faces.face_id.length);
}

/** @param {import("./decide.js").Statement} statement @param {Record<string, string>} [seen] */
const decided = (statement, seen = {}) => decide({ person: name, ...statement }, { [name]: faces.seen, ...seen });

/** @param {(picked: string[]) => unknown} action */
const withFaces = (action) => () => {
  const picked = grid.picked().map((at) => faces.face_id[at]);
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
  { key: "i", words: "action.ignore", faces: false, act: () => decided({ kind: "ignore" }) },
  { key: "a", words: "action.approve", faces: false, act: () => decided({ kind: "approve" }) },
  {
    key: "v",
    words: "action.move",
    faces: true,
    act: withFaces(async (picked) => {
      const other = await askPerson(t("action.move_to", { count: picked.length }), name, picked);
      if (other) await decided({ kind: "assign", person: other.name, faces: picked }, { [other.name]: other.seen });
    }),
  },
  {
    key: "x",
    words: "action.not_person",
    faces: true,
    act: withFaces((picked) => decided({ kind: "not_person", faces: picked })),
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
    act: withFaces((picked) => decided({ kind: "not_a_face", person: undefined, faces: picked })),
  },
];

function drawActions() {
  if (!page.writes) return;
  const count = grid?.chosen.size ?? 0;
  const button = (/** @type {typeof ACTIONS[number]} */ one) =>
    html`<button type="button" aria-keyshortcuts=${one.key === "I" ? "Shift+I" : one.key} @click=${one.act}>
      ${t(one.words)} <kbd aria-hidden="true">${one.key}</kbd></button>`;
  render(html`${ACTIONS.filter((one) => !one.faces).map(button)}`, byId("actions"));
  const bar = byId("selection");
  bar.hidden = count === 0;
  render(html`<p>${t("person.selected", { count })}</p>${ACTIONS.filter((one) => one.faces).map(button)}`, bar);
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
}

if (page.writes) for (const one of ACTIONS) onKey(one.key, () => void one.act());
onChange(() => void refresh());
drawActions();

const current = () => new URLSearchParams(location.search).get("by") ?? "rank";

for (const link of document.querySelectorAll("[data-by]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    const by = /** @type {HTMLElement} */ (link).dataset.by ?? "rank";
    history.replaceState(null, "", `?by=${by}`);
    for (const one of document.querySelectorAll("[data-by]")) one === link ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current");
    await load(by);
    say(/** @type {HTMLElement} */ (link).textContent ?? "");
  });
}

onKey("Escape", () => {
  if (grid.chosen.size) grid.choose([]);
  else location.assign("/review/people#back");
});

load().then(
  () => grid.focus(0, false),
  (error) => say(error.message),
);
