// @ts-check
/** Questions: a key answers, the next card is there at once, and the answer is sent behind it. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { ApiError, getJson, newId, postJson } from "./api.js";
import { changed, onChange, ruled, showRefusal } from "./decide.js";
import { onKey } from "./keys.js";
import { byId, page, say, t } from "./page.js";
import { show } from "./thumbs.js";

/**
 * @typedef {{name: string | null, label: string | null, piece: boolean, size: number, faces: string[]}} Side
 * @typedef {{card_id: string, kind: string, again: number, sides: Side[], answers: string[], same_photo: boolean,
 *   numbers: Record<string, number>}} Card
 */

const SWIPE_PX = 80;
const GRIDS = ["who_else", "who_not", "ignore_strangers"];
/** Word of an answer -> its key. */
const KEYS = {
  same: "s", different: "d", not_sure: " ", picked: "Enter", approve: "a", ignore: "i",
  first: "1", second: "2", both: "b", neither: "n", take: "t", keep: "k",
};

/** @type {Card[]} */
let cards = [];
/** Answers that are on their way: their cards are not to come back. @type {Set<string>} */
const sent = new Set();
/** @type {Set<number>} places of sides */
let picked = new Set();
let left = 0;
/** @type {number | null} */
let errorRate = null;
let made = true;
let line = Promise.resolve();

const nameOf = (/** @type {Side} */ side) => side.label || side.name || t("side.nobody");
const titleOf = (/** @type {Side} */ side) => (side.piece ? t("side.piece", { name: nameOf(side) }) : nameOf(side));
const faces = (/** @type {Side} */ side) =>
  side.faces.map((id) => html`<img alt="" width="128" height="128" data-id=${id} draggable="false" />`);

/** @param {Side} side */
const row = (side) => html`<section class="side">
  <h3><bdi>${titleOf(side)}</bdi> <span class="quiet">${t("side.faces", { count: side.size })}</span></h3>
  <div class="row">${faces(side)}</div>
</section>`;

/** @param {Side} side @param {number} place */
const pick = (side, place) => html`<li>
  <button type="button" aria-pressed=${picked.has(place)} @click=${() => toggle(place)}>
    ${faces({ ...side, faces: side.faces.slice(0, 1) })}
    <bdi>${titleOf(side)}</bdi> <span class="quiet">${t("side.faces", { count: side.size })}</span>
  </button></li>`;

/** @param {number} place */
function toggle(place) {
  if (!picked.delete(place)) picked.add(place);
  draw();
}

function body(/** @type {Card} */ card) {
  const [first, ...others] = card.sides;
  if (card.kind === "threshold") return threshold(card);
  if (card.kind === "ignore_strangers") return html`<ul class="picks">${card.sides.map(pick)}</ul>`;
  if (GRIDS.includes(card.kind)) {
    return html`<div class="sides">${row(first)}</div><ul class="picks">${others.map((side, at) => pick(side, at + 1))}</ul>`;
  }
  return html`<div class="sides ${card.kind}">${card.sides.map(row)}</div>`;
}

/** What a card on another distance would change, once it is known; asked for once for each distance. @type {Map<number, any>} */
const previews = new Map();

/** @param {Card} card */
function threshold(card) {
  const { new: distance } = card.numbers;
  if (!previews.has(distance)) {
    previews.set(distance, null);
    getJson(`threshold?new=${distance}`).then(
      (found) => (previews.set(distance, found), draw()),
      (error) => (previews.delete(distance), say(error.message)),
    );
  }
  const found = previews.get(distance);
  if (!found) return html`<p role="status">${t("threshold.works")}</p>`;
  const strip = (/** @type {"in" | "out"} */ way) =>
    found.counts[way]
      ? html`<p>${t(`threshold.${way}`, { count: found.counts[way] })}</p>
          <p class="strip">${found[`faces_${way}`].map((/** @type {string} */ id) => html`<img alt="" width="56" height="56" data-id=${id} />`)}</p>`
      : nothing;
  return html`<section class="side"><h3>${t("threshold.title")}</h3>
    <p>${t("threshold.facesets", { before: found.facesets_before, after: found.facesets_after })} ${t("threshold.change", { count: found.people_change })}</p>
    ${strip("in")}${strip("out")}
    ${found.counts.in + found.counts.out ? nothing : html`<p>${t("threshold.same_faces")}</p>`}
    <p class="quiet">${t("threshold.of", { buckets: found.buckets, of: found.of })}</p></section>`;
}

function draw() {
  const card = cards[0];
  const host = byId("card");
  if (!card) {
    render(html`<p>${made ? t("queue.none") : t("queue.not_made")}</p>`, host);
    return;
  }
  const values = { name: card.sides.length ? nameOf(card.sides[0]) : "", ...card.numbers };
  render(
    html`<h2>${t(`card.${card.kind}`, values)}</h2>
      ${card.again ? html`<p class="warn">${t("queue.again")}</p>` : nothing}
      ${card.same_photo ? html`<p class="warn">${t("queue.same_photo")}</p>` : nothing}
      ${body(card)}
      ${page.writes
        ? html`<div class="answers" role="group" aria-label=${t(`card.${card.kind}`, values)}>
            ${card.answers.map(
              (word) => html`<button type="button" data-word=${word} class=${word === "not_sure" ? "" : "main"} @click=${() => answer(word)}>
                ${t(`answer.${word}`)} <kbd aria-hidden="true">${keyName(word)}</kbd></button>`,
            )}
          </div>`
        : nothing}`,
    host,
  );
  for (const picture of host.querySelectorAll("img")) show(picture, picture.dataset.id ?? "");
  byId("left").textContent = [
    t("queue.left", { count: left }),
    errorRate === null ? null : t("queue.errors", { percent: Math.round(100 * errorRate) }),
  ].filter(Boolean).join(" · ");
}

/** @param {string} word */
function keyName(word) {
  const key = KEYS[/** @type {keyof typeof KEYS} */ (word)];
  return key === " " ? "␣" : key === "Enter" ? "⏎" : key;
}

/** @param {string} word */
function answer(word) {
  const card = cards[0];
  if (!card || !page.writes || !card.answers.includes(word)) return;
  const body = { answer_id: newId(), card_id: card.card_id, word, picked: [...picked].sort((one, other) => one - other) };
  sent.add(card.card_id);
  cards = cards.slice(1);
  picked = new Set();
  draw();
  byId("card").focus({ preventScroll: true });
  line = line.then(() => deliver(card, body)); // one after the other: each may change the cards that follow
}

/** @param {Card} card @param {{word: string}} body */
async function deliver(card, body) {
  try {
    const done = await postJson("answers", body);
    const expected = done.expected === null || done.expected === undefined ? "" : ` ${t("queue.expected", { percent: Math.round(100 * done.expected) })}`;
    const says = ruled(done);
    if (says) say(`${t("decide.done", { says })}${expected}`);
    else say(done.again ? t("queue.again") : t(body.word in { same: 1, different: 1, not_sure: 1 } ? `answered.${body.word}` : "answered.other"));
    if (done.rulings.length) {
      ours = true;
      changed(done.waiting);
      ours = false;
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(error.message);
    if (error.body?.error === "RulingRefused") await showRefusal(error);
  }
  sent.delete(card.card_id);
  await fill();
}

let ours = false;

/** Takes the next cards in hand; the one on the screen stays as long as it is a question. */
async function fill(anew = false) {
  const found = await getJson("queue");
  left = found.left;
  made = found.made;
  errorRate = found.error_rate;
  const open = found.cards.filter((/** @type {Card} */ card) => !sent.has(card.card_id));
  const first = anew ? undefined : open.find((/** @type {Card} */ card) => card.card_id === cards[0]?.card_id);
  cards = first ? [first, ...open.filter((/** @type {Card} */ card) => card.card_id !== first.card_id)] : open;
  draw();
}

for (const [word, key] of Object.entries(KEYS)) {
  onKey(key, () => {
    const card = cards[0];
    if (card?.answers.includes(word)) answer(word);
    else pickNumber(key);
  });
}
for (const key of "3456789") onKey(key, () => pickNumber(key));

/** @param {string} key */
function pickNumber(key) {
  const card = cards[0];
  const place = Number(key) - (card?.kind === "ignore_strangers" ? 1 : 0);
  if (card && GRIDS.includes(card.kind) && /^\d$/.test(key) && place < card.sides.length) toggle(place);
}

/** Where the finger came down; null while none is on a card that a swipe answers. @type {Touch | null} */
let from = null;
const host = byId("card");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** How far the finger went to the side, and what it aims at; nothing while it scrolls. @param {TouchEvent} event */
function swipe(event) {
  const now = event.changedTouches[0];
  const way = from ? now.clientX - from.clientX : 0;
  const scrolls = from !== null && Math.abs(now.clientY - from.clientY) > Math.abs(way);
  return { way: scrolls ? 0 : way, word: scrolls || Math.abs(way) <= SWIPE_PX ? null : way > 0 ? "same" : "different" };
}

/** @param {number} way @param {string | null} word */
function follow(way, word) {
  host.classList.toggle("moves", way !== 0);
  host.style.transform = way && !calm.matches ? `translateX(${way / 3}px)` : "";
  for (const button of host.querySelectorAll("[data-word]")) {
    button.classList.toggle("aimed", /** @type {HTMLElement} */ (button).dataset.word === word);
  }
}

host.addEventListener("touchstart", (event) => (from = cards[0]?.kind === "pair" ? event.changedTouches[0] : null), { passive: true });
host.addEventListener("touchmove", (event) => follow(swipe(event).way, swipe(event).word), { passive: true });
host.addEventListener("touchcancel", () => follow(0, null));
host.addEventListener("touchend", (event) => {
  const { word } = swipe(event);
  follow(0, null);
  from = null;
  if (word) answer(word);
});

onChange((byOthers) => {
  if (!ours) void fill(!byOthers);
});
fill().then(
  () => byId("card").focus({ preventScroll: true }),
  (error) => say(error.message),
);
