// @ts-check
// The stand-alone page: the panel over the whole window.

import { mountInspector } from "./panel.js";

mountInspector(/** @type {HTMLElement} */ (document.getElementById("inspector")), {
  base: new URL("./", import.meta.url).pathname,
  title: "Requests to your handler",
  nothingYet: "Connect a client: whatever it does becomes a request to your handler, shown here.",
});
