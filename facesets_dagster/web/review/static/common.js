// @ts-check
/** What every page does. */

import "./decide.js";
import { onGo, onKey } from "./keys.js";

/** @param {string} where */
const go = (where) => () => location.assign(`/review/${where}`);

onGo("p", go("people"));
onGo("q", go("queue"));
onGo("l", go("log"));
onGo("i", go("ignored"));
onGo("h", go("help"));
onKey("?", go("help"));
