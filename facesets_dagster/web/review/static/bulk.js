// @ts-check
/** One ruling on everybody, or every face, that a filter means. The server evaluates the filter; the page says how many. */

import { ApiError, newId, postJson } from "./api.js";
import { changed, showRefusal } from "./decide.js";
import { page, say, t } from "./page.js";

/**
 * @typedef {object} PeopleMeant
 * @property {string} text
 * @property {string} named
 * @property {number | null} most_faces
 * @property {string[]} without
 *
 * @typedef {object} FacesMeant
 * @property {string} person
 * @property {string} only
 * @property {string[]} without
 *
 * @typedef {object} Bulk
 * @property {string} kind
 * @property {PeopleMeant} [people]
 * @property {FacesMeant} [faces]
 * @property {string} [other]
 * @property {string} state of the library, as it is shown
 * @property {number} count
 */

/** @param {Bulk} wanted @returns {Promise<boolean>} whether it is on record */
export async function decideAll(wanted) {
  if (!page.writes) {
    say(page.whyNot ?? t("ribbon.reading"));
    return false;
  }
  say(t("bulk.begun", { count: wanted.count }));
  try {
    const answer = await postJson("bulk", { ruling_id: newId(), ...wanted });
    say(t(`bulk.${wanted.kind}`, { count: wanted.count }));
    changed(answer.waiting);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(error.message);
    if (error.status === 412) document.dispatchEvent(new Event("facesets-changed"));
    else await showRefusal(error);
    return false;
  }
}
