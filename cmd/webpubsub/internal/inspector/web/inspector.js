// @ts-check
// The stand-alone page: the panel over the whole window.

import { mountInspector } from "./panel.js";

mountInspector(/** @type {HTMLElement} */ (document.getElementById("inspector")), {
  base: new URL("./", import.meta.url).pathname,
  nothingYet: "Connect a client: whatever it does becomes a request to your handler, shown here.",
});
