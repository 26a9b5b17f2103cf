// @ts-check
/** One person: all faces as a grid, sorted in any way. */

import { html, render } from "./vendor/lit-html.js";
import { getJson } from "./api.js";
import { Grid } from "./grid.js";
import { onKey } from "./keys.js";
import { byId, has, say, t } from "./page.js";
import { show } from "./thumbs.js";

/**
 * @typedef {object} Faces columns of equal length
 * @property {string} seen
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
const title = head.dataset.label || name;

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
