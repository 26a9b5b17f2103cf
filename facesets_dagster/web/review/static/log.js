// @ts-check
/** The log reads without scripts; with them each ruling can be taken back. */

import { onChange, undo } from "./decide.js";

for (const one of document.querySelectorAll("[data-undo]")) {
  const button = /** @type {HTMLButtonElement} */ (one);
  button.hidden = false;
  button.addEventListener("click", () => undo([button.dataset.undo ?? ""]));
}

onChange(() => setTimeout(() => location.reload(), 900)); // the list is made by the server; first it is said what happened
