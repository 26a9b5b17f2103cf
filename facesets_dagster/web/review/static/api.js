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
