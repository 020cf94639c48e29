// @ts-check
// What somebody should know who has never seen any of this: a few sentences that
// can be closed, for as long as the tab lives.

import { el } from "./dom.js";

const KEY = "inspector.intro";
const CLOSED = "closed";

/** @param {(Node | string)[]} sentences */
export function introduction(sentences) {
  const close = el("button", { type: "button", className: "plain", "aria-label": "Close the explanation" }, "✕");
  const intro = el("div", { className: "ins-welcome", hidden: recall() === CLOSED }, el("p", {}, ...sentences), close);
  close.addEventListener("click", () => {
    const next = intro.nextElementSibling?.querySelector("select");
    intro.hidden = true;
    next?.focus(); // the button is gone
    try {
      sessionStorage.setItem(KEY, CLOSED);
    } catch {
      // The browser keeps nothing for this page; then it comes back with it.
    }
  });
  return intro;
}

function recall() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
