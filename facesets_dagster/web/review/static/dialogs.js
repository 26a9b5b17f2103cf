// @ts-check
/** Questions over the page: a name, a person, yes or no. Each gives null for Escape. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { getJson } from "./api.js";
import { t } from "./page.js";
import { show } from "./thumbs.js";

/** @typedef {{name: string, label: string | null, faces: number, seen: string, distance?: number}} Person */

const MOST = 40;

/**
 * @template T
 * @param {string} title
 * @param {(dialog: HTMLDialogElement, done: (value: T | null) => void) => void} fill
 * @returns {Promise<T | null>}
 */
export function ask(title, fill) {
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title);
  document.body.append(dialog);
  return new Promise((resolve) => {
    /** @type {T | null} */
    let answer = null;
    const done = (/** @type {T | null} */ value) => {
      answer = value;
      dialog.close();
    };
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
      resolve(answer);
    });
    fill(dialog, done);
    dialog.showModal();
  });
}

/** Asks for a text. @param {string} title @param {string} value @returns {Promise<string | null>} */
export const askText = (title, value) =>
  ask(title, (dialog, done) => {
    const input = () => /** @type {HTMLInputElement} */ (dialog.querySelector("input")).value;
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      done(input());
    };
    render(
      html`<h2>${title}</h2>
        <p><input type="text" dir="auto" aria-label=${title} .value=${value} maxlength="200" autocomplete="off" @keydown=${key} autofocus /></p>
        <p class="actions">
          <button type="button" class="main" @click=${() => done(input())}>${t("save")}</button>
          <button type="button" @click=${() => done(null)}>${t("cancel")}</button>
        </p>`,
      dialog,
    );
  });

/** Asks whether to go on. @param {string} title @param {string} text @param {string} yes @returns {Promise<boolean>} */
export const confirm = async (title, text, yes) =>
  (await ask(title, (dialog, done) =>
    render(
      html`<h2>${title}</h2>
        <p>${text}</p>
        <p class="actions">
          <button type="button" class="main" @click=${() => done(true)}>${yes}</button>
          <button type="button" @click=${() => done(null)} autofocus>${t("cancel")}</button>
        </p>`,
      dialog,
    ),
  )) === true;

const plain = (/** @type {string} */ text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * Asks for a person: the likeliest first, so that Enter takes it; typing searches everybody.
 * @param {string} title @param {string} of the person that is not offered @param {string[]} faces @returns {Promise<Person | null>}
 */
export async function askPerson(title, of, faces = []) {
  const asked = `similar/${encodeURIComponent(of)}?faces=${encodeURIComponent(faces.slice(0, 200).join(","))}`;
  /** @type {Person[]} */
  const near = (await getJson(asked)).people;
  const everybody = await getJson("people");
  /** @type {Person[]} */
  const others = everybody.name.map((/** @type {string} */ name, /** @type {number} */ at) => ({
    name,
    label: everybody.label[at],
    faces: everybody.faces[at],
    seen: everybody.seen[at],
  }));
  const known = new Set(near.map((one) => one.name));
  const all = [...near, ...others.filter((one) => one.name !== of && !known.has(one.name))];
  const spelled = all.map((one) => plain(`${one.label ?? ""}\n${one.name}`));
  return ask(title, (dialog, done) => {
    let active = 0;
    let wanted = "";
    const found = () => all.filter((_, at) => spelled[at].includes(wanted)).slice(0, MOST);
    const typed = (/** @type {Event} */ event) => {
      wanted = plain(/** @type {HTMLInputElement} */ (event.target).value.trim());
      active = 0;
      draw();
    };
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.isComposing) return;
      const people = found();
      if (event.key === "ArrowDown") active = Math.min(active + 1, people.length - 1);
      else if (event.key === "ArrowUp") active = Math.max(active - 1, 0);
      else if (event.key === "Enter") done(people[active] ?? null);
      else return;
      event.preventDefault();
      draw();
      dialog.querySelector(`#option-${active}`)?.scrollIntoView({ block: "nearest" });
    };
    function draw() {
      const people = found();
      const options = people.map(
        (one, at) =>
          html`<li role="option" id="option-${at}" aria-selected=${at === active} @click=${() => done(one)}>
            <img alt="" width="56" height="56" data-person=${one.name} />
            <span><b><bdi>${one.label || one.name}</bdi></b>
              <span class="quiet">${one.label ? `${one.name} · ` : nothing}${t("people.faces", { count: one.faces })}${
                one.distance === undefined ? nothing : ` · ${t("face.distance", { distance: one.distance.toFixed(2) })}`
              }</span></span>
          </li>`,
      );
      render(
        html`<h2>${title}</h2>
          <p><input type="text" dir="auto" role="combobox" aria-label=${title} aria-expanded="true" aria-controls="options"
            aria-activedescendant=${people.length ? `option-${active}` : nothing} autocomplete="off" @input=${typed} @keydown=${key} autofocus /></p>
          ${people.length ? html`<ul id="options" role="listbox" aria-label=${t("people.title")}>${options}</ul>` : html`<p id="options">${t("people.none")}</p>`}
          <p class="actions"><button type="button" @click=${() => done(null)}>${t("cancel")}</button></p>`,
        dialog,
      );
      for (const picture of dialog.querySelectorAll("img")) show(picture, `@${picture.dataset.person}`);
    }
    draw();
  });
}
