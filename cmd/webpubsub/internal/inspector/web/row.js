// @ts-check
// One row of the list: a line that is a button, and below it the details while
// it is open.

import { el, setText } from "./dom.js";
import { clock, count, duration, shortID } from "./format.js";
import { isQuestion, nameOf, outcome } from "./store.js";

/** @typedef {import("./stream.js").Summary} Summary */

/**
 * What a row depends on besides its entry. Another object means: draw again.
 *
 * @typedef {object} Surroundings
 * @property {boolean} hubs there are several hubs, so name them
 * @property {Set<string>} own the viewer's own connections
 * @property {(entry: Summary) => boolean} callFailed
 */

const template = el("li", { className: "ins-row" },
  el("button", { type: "button", className: "ins-line", tabIndex: -1, "aria-expanded": "false" },
    el("span", { className: "ins-time", "aria-hidden": "true" }), // digits that delay what a row is about
    el("span", { className: "ins-event" }, el("span", { className: "ins-tag" })),
    el("span", { className: "ins-who" },
      el("span", { className: "ins-hub" }), el("span", { className: "ins-name" }), " ",
      el("span", { className: "ins-you", hidden: true }, "you"), " ", el("span", { className: "ins-note" })),
    el("span", { className: "ins-signs" },
      el("span", { className: "ins-sign", hidden: true, title: "The answer changed the connection's state" }, "state"),
      el("span", { className: "ins-sign", hidden: true, title: "Sent again by hand" }, "again"),
      el("span", { className: "ins-sign ins-tries", hidden: true, title: "How often it was sent" })),
    el("span", { className: "ins-result" },
      el("span", { className: "ins-glyph", "aria-hidden": "true" }), el("span"), el("span", { className: "visually-hidden" })),
    el("span", { className: "ins-took" }),
    el("span", { className: "ins-led" },
      el("span", { "aria-hidden": "true" }, "→ "), el("span"), el("span", { className: "visually-hidden" }))));

const GLYPHS = { pending: "•", ok: "✓", refused: "✕", failed: "✕" };

/** The same entry of the same service: one that was started anew counts from 1. @param {Summary} entry */
export const keyOf = (entry) => `${entry.id}@${entry.time}`;

/** Who a row is about, in one word. @param {Summary} entry */
export function whoOf(entry) {
  return entry.userId || (entry.connectionId ? shortID(entry.connectionId) : "");
}

export class Row {
  /** @type {HTMLLIElement} */
  element;
  /** @type {HTMLButtonElement} */
  line;
  /** @type {HTMLElement | undefined} where the details are, while it is open */
  body;
  /** @type {Surroundings | undefined} */
  #drawnIn;

  /** @param {Summary} entry @param {Surroundings} surroundings */
  constructor(entry, surroundings) {
    this.entry = entry;
    this.key = keyOf(entry);
    this.element = /** @type {HTMLLIElement} */ (template.cloneNode(true));
    this.line = /** @type {HTMLButtonElement} */ (this.element.firstElementChild);
    this.element.dataset.id = String(entry.id);
    this.#draw(entry, surroundings);
  }

  /** Takes what is new about it. @param {Summary} entry @param {Surroundings} surroundings */
  update(entry, surroundings) {
    if (entry === this.entry && surroundings === this.#drawnIn) return false;
    this.entry = entry;
    this.#draw(entry, surroundings);
    return true;
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.line.setAttribute("aria-expanded", String(open));
    this.element.classList.toggle("ins-open", open);
    this.body?.remove();
    this.body = undefined;
    if (open) {
      this.body = el("div", { className: "ins-detail", id: `ins-detail-${this.entry.id}` });
      this.element.append(/** @type {HTMLElement} */ (this.body));
      this.line.setAttribute("aria-controls", `ins-detail-${this.entry.id}`);
    } else {
      this.line.removeAttribute("aria-controls");
    }
  }

  /** @param {Summary} entry @param {Surroundings} surroundings */
  #draw(entry, surroundings) {
    this.#drawnIn = surroundings;
    const end = outcome(entry);
    const own = surroundings.own.has(entry.connectionId ?? "");
    const callFailed = surroundings.callFailed(entry);
    const [time, event, who, signs, result, took, led] = /** @type {any[]} */ ([...this.line.children]);
    const [hub, name, you, note] = who.children;
    const [state, again, tries] = signs.children;
    const [glyph, status, word] = result.children;
    const [, where, trouble] = led.children;
    const kind = entry.kind === "event" ? (entry.system ? "system" : "user") : entry.kind;

    this.element.dataset.outcome = end;
    this.element.classList.toggle("ins-own", own);
    setText(time, clock(entry.time));
    setText(event.firstElementChild, nameOf(entry));
    event.firstElementChild.dataset.kind = kind;
    event.firstElementChild.title = nameOf(entry);
    setText(hub, surroundings.hubs && entry.hub ? `${entry.hub}/` : "");
    setText(name, whoOf(entry));
    name.dataset.user = String(Boolean(entry.userId));
    name.title = [entry.userId, entry.connectionId].filter(Boolean).join(", connection ");
    note.dataset.plain = String(entry.kind === "event" && !entry.error);
    setText(note, noteOf(entry));
    you.hidden = !own;
    state.hidden = !entry.stateChanged;
    again.hidden = !entry.again;
    tries.hidden = (entry.attempts ?? 1) < 2;
    setText(tries, `${entry.attempts}×`);
    setText(glyph, GLYPHS[end]);
    setText(status, end === "pending" ? "waiting" : entry.status ? String(entry.status) : "none");
    setText(word, end === "refused" || end === "failed" ? ` ${end}` : "");
    setText(took, end === "pending" || entry.durationMs === undefined ? "" : duration(entry.durationMs));
    const calls = entry.calls?.length ?? 0;
    const reached = entry.kind === "call" && entry.recipients !== undefined;
    led.hidden = calls === 0 && !reached;
    setText(where, calls ? count(calls, "call") : count(entry.recipients ?? 0, "client"));
    setText(trouble, callFailed ? ", one of them failed" : "");
    led.dataset.failed = String(callFailed);
  }
}

/**
 * What there is room for behind the name: what went wrong, or where it went.
 *
 * @param {Summary} entry
 */
function noteOf(entry) {
  if (entry.error) return entry.error.replace(/^https?:\/\/\S+ /, ""); // the details say which URL
  return entry.kind === "event" ? entry.url ?? "" : `${entry.method} ${entry.url}`;
}

/** A failure as a sentence. @param {Summary} entry */
export function failureOf(entry) {
  const subject = entry.kind === "call" ? `call ${entry.method} ${entry.url}` : nameOf(entry);
  const who = whoOf(entry);
  const tries = (entry.attempts ?? 1) > 1 ? ` in ${entry.attempts} attempts` : "";
  return `${subject}${who ? ` ${isQuestion(entry) ? "from" : "about"} ${who}` : ""} failed ${
    entry.status ? `with ${entry.status}` : "without an answer"}${tries}.`;
}
