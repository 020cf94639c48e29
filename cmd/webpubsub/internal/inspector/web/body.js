// @ts-check
// Shows what was on the wire: bodies, headers and states.

import { el } from "./dom.js";
import { explainHeader } from "./explain.js";
import { count, hexDump, indentJSON, size } from "./format.js";

/**
 * @typedef {object} Body
 * @property {number} size
 * @property {boolean} [truncated]
 * @property {boolean} [json]
 * @property {string} [text]
 * @property {string} [base64] of what is no text
 *
 * @typedef {{raw: string, json?: unknown}} State
 */

const COLOURED = 64 * 1024; // characters of JSON; more than that is shown as it came

/**
 * A body, as readable as it can be.
 *
 * @param {Body | undefined} body
 * @param {string} label what it is, for those who cannot see where it stands
 */
export function bodyView(body, label) {
  if (!body?.size) return el("p", { className: "ins-none" }, "No body");
  const shown = body.truncated ? `, only the beginning is kept` : "";
  const kind = body.base64 !== undefined ? "not text" : body.json ? "JSON" : "text";
  return el("figure", { className: "ins-body" },
    el("figcaption", {}, `${size(body.size)}, ${kind}${shown}`),
    // It scrolls when it is long, so the keyboard must get there.
    el("pre", { tabIndex: 0, role: "group", "aria-label": label }, content(body)));
}

/** @param {Body} body */
function content(body) {
  if (body.base64 !== undefined) {
    return hexDump(Uint8Array.from(atob(body.base64), (c) => c.charCodeAt(0)));
  }
  const text = body.text ?? "";
  return body.json && text.length <= COLOURED ? jsonView(text) : text;
}

/** @param {string} text */
function jsonView(text) {
  const fragment = document.createDocumentFragment();
  for (const { text: piece, kind } of indentJSON(text)) {
    fragment.append(kind === "other" ? piece : el("span", { className: `ins-json-${kind}` }, piece));
  }
  return fragment;
}

/**
 * Headers, each with its meaning where it belongs to the protocol, behind a line
 * that opens: there are many, and what happened can be told without them.
 *
 * @param {[string, string][]} headers
 * @param {string} label
 * @param {{open: boolean}} shown whether they are open, in all rows alike
 */
export function headersView(headers, label, shown) {
  if (headers.length === 0) return null;
  /** @type {HTMLDetailsElement} */
  const view = el("details", { className: "ins-more", open: shown.open },
    el("summary", {}, count(headers.length, "header")),
    el("table", { className: "ins-headers", "aria-label": label },
      el("tbody", {}, ...headers.map(([name, value]) => headerRow(name, value)))));
  view.addEventListener("toggle", () => { shown.open = view.open; });
  return view;
}

/** @param {string} name @param {string} value */
function headerRow(name, value) {
  const meaning = explainHeader(name);
  return el("tr", {},
    el("th", { scope: "row" }, name),
    el("td", {},
      value === "" ? el("span", { className: "ins-none" }, "empty") : el("code", {}, value),
      meaning ? el("small", {}, meaning) : null));
}

/**
 * The state before and after, value by value where it is a JSON object. When it
 * has stayed the same it is shown once.
 *
 * @param {State | undefined} before
 * @param {State | undefined} after
 */
export function stateView(before, after) {
  const same = before?.raw === after?.raw;
  const named = isObject(before?.json) || isObject(after?.json);
  const rows = named ? valuesOf(before, after) : [["", plain(before), plain(after)]];
  const columns = [...(named ? ["Name"] : []), ...(same ? ["Before and after"] : ["Before", "After"])];
  return el("table", { className: "ins-state", "aria-label": "The connection’s state" },
    el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([name, old, now]) => el("tr", { className: old === now ? "" : "ins-changed" },
      named ? el("th", { scope: "row" }, name) : null,
      valueCell(old, "del", old !== now),
      same ? null : valueCell(now, "ins", old !== now)))));
}

/** @param {string | undefined} value @param {string} tag @param {boolean} changed */
function valueCell(value, tag, changed) {
  if (value === undefined) return el("td", {}, el("span", { className: "ins-none" }, "not there"));
  return el("td", {}, el(changed ? tag : "span", { className: "ins-value" }, value));
}

/**
 * @param {State | undefined} before
 * @param {State | undefined} after
 * @returns {(string | undefined)[][]}
 */
function valuesOf(before, after) {
  const old = /** @type {Record<string, unknown>} */ (isObject(before?.json) ? before?.json : {});
  const now = /** @type {Record<string, unknown>} */ (isObject(after?.json) ? after?.json : {});
  const names = new Set([...Object.keys(old), ...Object.keys(now)]);
  const text = (/** @type {Record<string, unknown>} */ state, /** @type {string} */ name) => (
    Object.hasOwn(state, name) ? JSON.stringify(state[name]) : undefined);
  return [...names].map((name) => [name, text(old, name), text(now, name)]);
}

/** @param {State | undefined} state */
function plain(state) {
  if (!state) return undefined;
  return state.json === undefined ? state.raw : JSON.stringify(state.json);
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
