// @ts-check
/** Pictures of faces: those of a screen in one request, decoded a few at a time, the last few thousand kept. */

import { getBytes } from "./api.js";

const CALM_MS = 50; // no request while the list is flung
const AT_ONCE = 120; // names in a request
const KEPT = 4000; // blob URLs
const A_FRAME = 12; // pictures that are put in place in one frame
const LATER_MS = 150;

/** @type {Map<string, string>} name -> blob URL, the one used last at the end */
const kept = new Map();
/** @type {Map<string, Set<HTMLImageElement>>} name -> pictures that wait for it */
const waiting = new Map();
/** @type {Set<string>} */
const absent = new Set();
/** @type {[HTMLImageElement, string, string][]} */
const ready = [];
let timer = 0;
let asking = false;

/**
 * Shows a face in a picture: at once if it is known, else when it has come.
 * @param {HTMLImageElement} picture
 * @param {string} name a face_id, or `@faceset_001` for the face that stands for a person
 */
export function show(picture, name) {
  if (picture.dataset.face === name) return;
  const before = picture.dataset.face;
  if (before) waiting.get(before)?.delete(picture);
  picture.dataset.face = name;
  picture.classList.toggle("absent", absent.has(name));
  const url = kept.get(name);
  if (url) {
    kept.delete(name);
    kept.set(name, url);
    picture.src = url;
    return;
  }
  picture.removeAttribute("src");
  if (absent.has(name)) return;
  if (!waiting.has(name)) waiting.set(name, new Set());
  waiting.get(name)?.add(picture);
  clearTimeout(timer);
  timer = setTimeout(ask, CALM_MS);
}

/** Forgets which face stands for somebody: it may be another one by now. */
export function forgetPeople() {
  for (const name of [...kept.keys()].filter((one) => one.startsWith("@"))) drop(name);
}

/** @param {string} name */
function drop(name) {
  URL.revokeObjectURL(/** @type {string} */ (kept.get(name)));
  kept.delete(name);
}

async function ask() {
  if (asking) return;
  const names = [...waiting].filter(([, pictures]) => pictures.size > 0).map(([name]) => name);
  for (const name of [...waiting.keys()]) if (!waiting.get(name)?.size) waiting.delete(name);
  if (names.length === 0) return;
  asking = true;
  const some = names.slice(-AT_ONCE); // what was scrolled to last comes first
  let pause = CALM_MS;
  try {
    const bytes = await getBytes(`thumbs?px=128&ids=${encodeURIComponent(some.join(","))}`);
    const later = unpack(bytes, some);
    if (later) pause = LATER_MS;
  } catch {
    pause = 3000;
  }
  asking = false;
  if (waiting.size > 0) {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  }
}

/** @param {ArrayBuffer} bytes @param {string[]} asked @returns {boolean} whether some are to be asked for again */
function unpack(bytes, asked) {
  const length = new DataView(bytes).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const open = new Set(head.later);
  let place = 4 + length;
  for (const [name, size] of head.pictures) {
    const url = URL.createObjectURL(new Blob([new Uint8Array(bytes, place, size)], { type: "image/webp" }));
    place += size;
    if (kept.has(name)) drop(name);
    kept.set(name, url);
    for (const picture of waiting.get(name) ?? []) ready.push([picture, name, url]);
    waiting.delete(name);
    open.add(name);
  }
  for (const name of asked.filter((one) => !open.has(one))) {
    absent.add(name);
    for (const picture of waiting.get(name) ?? []) picture.classList.add("absent");
    waiting.delete(name);
  }
  while (kept.size > KEPT) drop(/** @type {string} */ (kept.keys().next().value));
  if (ready.length) requestAnimationFrame(place12);
  return head.later.length > 0;
}

async function place12() {
  const some = ready.splice(0, A_FRAME);
  await Promise.all(
    some.map(async ([picture, name, url]) => {
      if (picture.dataset.face !== name || !kept.has(name)) return;
      picture.src = url;
      await picture.decode().catch(() => undefined); // another face is wanted there by now
    }),
  );
  if (ready.length) requestAnimationFrame(place12);
}
