// @ts-check
/** Requests to the server, all below `/review/api`. */

import { t } from "./page.js";

export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {any} body */
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** @param {string} path @param {RequestInit} [options] */
async function send(path, options) {
  let answer;
  try {
    answer = await fetch(`/review/api/${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new ApiError(0, t("error.network"), null);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // the guard answers in plain text
  }
  throw new ApiError(answer.status, body?.message ?? text, body);
}

/** @param {string} path @returns {Promise<any>} */
export const getJson = async (path) => (await send(path)).json();

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<ArrayBuffer>} */
export const getBytes = async (path, signal) => (await send(path, { signal })).arrayBuffer();

/** Sends a decision; a request that was lost is sent once more, which the ids in it make safe.
 * @param {string} path @param {unknown} body @returns {Promise<any>}
 */
export async function postJson(path, body) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Facesets-Review": "1" },
    body: JSON.stringify(body),
  };
  try {
    return await (await send(path, options)).json();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 0) throw error;
    return (await send(path, options)).json();
  }
}

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID: sorts by time, and is nobody else's. */
export function newId() {
  let time = Date.now();
  let head = "";
  for (let place = 0; place < 10; place++) {
    head = LETTERS[time % 32] + head;
    time = Math.floor(time / 32);
  }
  return head + [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => LETTERS[byte % 32]).join("");
}
