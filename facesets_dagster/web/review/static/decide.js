// @ts-check
/** Rulings from the page: written, taken back, previewed, published. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { ApiError, getJson, newId, postJson } from "./api.js";
import { ask, confirm } from "./dialogs.js";
import { onKey } from "./keys.js";
import { byId, inWords, page, say, t } from "./page.js";
import { forgetPeople, show } from "./thumbs.js";

/**
 * @typedef {object} Statement
 * @property {string} kind
 * @property {string} [person]
 * @property {string} [other]
 * @property {string[]} [faces]
 * @property {string[][]} [parts]
 * @property {string} [text]
 * @property {boolean} [despite]
 */

/**
 * Calls `action` whenever rulings were written or taken back, and when they were published.
 * @param {(byOthers: boolean) => void} action
 */
export const onChange = (action) =>
  document.addEventListener("facesets-changed", (event) => action(/** @type {CustomEvent} */ (event).detail === "others"));

/** Notes that so many rulings wait, and that people are others by now. @param {number} waiting @param {string} [by] */
export function changed(waiting, by) {
  page.waiting = waiting;
  forgetPeople();
  drawRibbon();
  document.dispatchEvent(new CustomEvent("facesets-changed", { detail: by }));
}

/**
 * Writes a ruling, and says what it says.
 * @param {Statement} statement
 * @param {Record<string, string>} seen person -> digest of what was shown
 * @returns {Promise<boolean>} whether it is on record
 */
export async function decide(statement, seen) {
  if (!page.writes) {
    say(page.whyNot ?? t("ribbon.reading"));
    return false;
  }
  const ruling = { ruling_id: newId(), ...statement };
  try {
    const answer = await postJson("rulings", { rulings: [ruling], seen });
    const says = ruled(answer);
    const same = answer.namesakes.length ? ` ${t("decide.namesakes", { names: answer.namesakes.join(", ") })}` : "";
    say(`${t("decide.done", { says })}${same}`);
    changed(answer.waiting);
    return true;
  } catch (error) {
    return failed(error, statement, seen);
  }
}

/** @param {unknown} error @param {Statement} statement @param {Record<string, string>} seen */
async function failed(error, statement, seen) {
  if (!(error instanceof ApiError)) throw error;
  const overruled = statement.kind === "same" && error.status === 409 && error.body?.error !== "RulingRefused";
  if (overruled && !statement.despite) {
    const go = await confirm(t("decide.merge_anyway"), error.message, t("decide.merge_anyway"));
    return go ? decide({ ...statement, despite: true }, seen) : false;
  }
  if (error.status === 412) {
    const people = error.body.changed.map((/** @type {{name: string}} */ one) => one.name).join(", ");
    say(`${error.message} (${people})`);
    document.dispatchEvent(new Event("facesets-changed"));
  } else {
    say(error.message);
    await showRefusal(error);
  }
  return false;
}

/** What speaks against a ruling, with the way out. @param {ApiError} error */
export const showRefusal = (error) =>
    ask(t("decide.refused"), (dialog, done) =>
      render(
        html`<h2>${t("decide.refused")}</h2>
          <p>${error.message}</p>
          ${(error.body?.rulings ?? []).map(
            (/** @type {any} */ one) =>
              html`<p><bdi>${inWords(one.said)}</bdi> <span class="quiet">${one.made_by}, ${one.made_at.slice(0, 10)}</span>
                <button type="button" @click=${async () => (await undo([one.ruling_id]), done(null))}>${t("log.undo")}</button></p>`,
          )}
          <p class="actions"><button type="button" @click=${() => done(null)} autofocus>${t("close")}</button></p>`,
        dialog,
      ),
    );

/** @typedef {{rulings: {said: import("./page.js").Said, state: string}[], count: number, waiting: number}} Recorded */

/** What was ruled, in words; of many only how many. @param {Recorded} answer @param {boolean} [states] */
export function ruled(answer, states = false) {
  if (answer.count > 3) return t("decide.many", { count: answer.count });
  return answer.rulings.map(({ said, state }) => inWords(said) + (states ? `: ${t(`state.${state}`)}` : "")).join("; ");
}

/** Takes rulings back, or makes them again. @param {string[]} ids @param {"undo" | "redo"} [way] */
export async function undo(ids, way = "undo") {
  try {
    const answer = await postJson(way, { ids });
    if (!answer.count) say(t("decide.nothing"));
    else if (way === "redo") say(t("decide.done", { says: ruled(answer) }));
    else say(answer.count > 3 ? t("decide.undone", { says: ruled(answer) }) : ruled(answer, true));
    changed(answer.waiting);
  } catch (error) {
    say(/** @type {Error} */ (error).message);
    if (error instanceof ApiError && error.status === 409) await showRefusal(error);
  }
}

/** What was decided last, taken back or made again. @param {"undo" | "redo"} way */
export async function step(way) {
  const last = await getJson("last");
  if (last[way].length) await undo(last[way], way);
  else say(t(way === "undo" ? "decide.nothing" : "decide.nothing_again"));
}

function drawSteps() {
  const button = (/** @type {"undo" | "redo"} */ way, /** @type {string} */ keys, /** @type {string} */ sign) =>
    html`<button type="button" aria-label=${t(`step.${way}`)} title=${t(`step.${way}`)} aria-keyshortcuts=${keys} @click=${() => step(way)}><span aria-hidden="true">${sign}</span></button>`;
  render(html`${button("undo", "z", "↶")}${button("redo", "Shift+Z", "↷")}`, byId("steps"));
}

async function preview() {
  const found = await getJson("preview");
  const strip = (/** @type {string[]} */ faces) =>
    html`<p class="strip">${faces.slice(0, 12).map((id) => html`<img alt="" width="56" height="56" data-id=${id} />`)}</p>`;
  await ask(t("ribbon.preview"), (dialog, done) => {
    render(
      html`<h2>${t("preview.title")}</h2>
        ${found.people.length ? nothing : html`<p>${t("preview.nothing")}</p>`}
        <ul class="preview">
          ${found.people.map(
            (/** @type {any} */ one) => html`<li>
              <b><bdi>${one.label ?? one.name}</bdi></b> <span class="quiet">${one.label ? one.name : nothing}</span>
              <p>${t(`preview.${one.what}`, { to: one.leads_to ?? "", from: one.part_of ?? "" })} · ${t("people.faces", { count: one.faces })}</p>
              ${one.faces_in.length ? html`<p class="quiet">${t("preview.in", { count: one.faces_in.length })}</p>${strip(one.faces_in)}` : nothing}
              ${one.faces_out.length ? html`<p class="quiet">${t("preview.out", { count: one.faces_out.length })}</p>${strip(one.faces_out)}` : nothing}
            </li>`,
          )}
        </ul>
        ${found.to_run.length ? html`<p>${t("preview.to_run", { buckets: found.to_run.join(", ") })}</p>` : nothing}
        <p class="actions">
          ${page.writes ? html`<button type="button" class="main" @click=${() => (done(null), publish())}>${t("ribbon.publish")}</button>` : nothing}
          <button type="button" @click=${() => done(null)} autofocus>${t("close")}</button>
        </p>`,
      dialog,
    );
    for (const picture of dialog.querySelectorAll("img")) show(picture, picture.dataset.id ?? "");
  });
}

const ENDED = new Set(["SUCCESS", "FAILURE", "CANCELED"]);
/** @type {{run_id: string, status: string, page: string} | null} */
let run = null;

async function publish() {
  try {
    run = { status: "QUEUED", ...(await postJson("publish", {})) };
    drawRibbon();
    while (run && !ENDED.has(run.status)) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      run = await getJson(`runs/${encodeURIComponent(run.run_id)}`);
      drawRibbon();
    }
    say(run?.status === "SUCCESS" ? t("publish.done") : t("publish.failed"));
    changed((await getJson("people")).waiting);
  } catch (error) {
    run = null;
    say(/** @type {Error} */ (error).message);
    drawRibbon();
  }
}

function drawRibbon() {
  const ribbon = byId("ribbon");
  if (!ribbon.dataset.drawn) ribbon.replaceChildren();
  ribbon.dataset.drawn = "yes";
  const runs = run !== null && !ENDED.has(run.status);
  render(
    html`${page.waiting ? html`<p>${t("ribbon.waiting", { count: page.waiting })}</p><button type="button" @click=${preview}>${t("ribbon.preview")}</button>` : nothing}
      ${page.waiting && page.writes ? html`<button type="button" class="main" ?disabled=${runs} @click=${publish}>${t("ribbon.publish")}</button>` : nothing}
      ${run ? html`<p><a href=${run.page}>${t("publish.run", { status: run.status.toLowerCase() })}</a></p>` : nothing}
      ${page.writes ? nothing : html`<p class="quiet">${t("ribbon.reading")} ${page.whyNot}</p>`}`,
    ribbon,
  );
}

/** Others decide too: what they did is said, and the page shows it. */
function listen() {
  const events = new EventSource(`/review/api/events?state=${encodeURIComponent(page.state)}`);
  events.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    if (told.by === page.who && told.waiting === page.waiting) return; // one's own, which is shown already
    if (told.by !== page.who && told.said) say(t("events.other", { who: told.by, says: `${inWords(told.said)} (${t(`state.${told.state}`)})` }));
    changed(told.waiting, "others");
  });
}

drawRibbon();
if (page.state) listen();
if (page.writes) {
  drawSteps();
  onKey("z", () => void step("undo"));
  onKey("Z", () => void step("redo"));
}
