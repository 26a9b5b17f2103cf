// @ts-check
import { html, render } from "./vendor/lit-html.js";
import { lettersAct, switchLetters } from "./keys.js";
import { byId, say, t } from "./page.js";

function draw() {
  const change = (/** @type {Event} */ event) => {
    switchLetters(/** @type {HTMLInputElement} */ (event.target).checked);
    say(lettersAct() ? t("help.letters") : t("help.letters_off"));
    draw();
  };
  render(
    html`<label><input type="checkbox" .checked=${lettersAct()} @change=${change} /> ${t("help.letters")}</label>`,
    byId("switch"),
  );
}

draw();
