// @ts-check
// What an opened row shows. Each part is drawn again only when it has changed,
// so that a selection or the place in a long body is not lost to a part that
// came later.

import { bodyView, headersView, stateView } from "./body.js";
import { copyText, el } from "./dom.js";
import { explain, explainCall } from "./explain.js";
import { clock, count, duration } from "./format.js";
import { outcome } from "./store.js";

/** @typedef {import("./stream.js").Summary} Summary */
/** @typedef {import("./body.js").Body} Body */
/** @typedef {{method?: string, url?: string, status?: number, statusText?: string, headers?: [string, string][], body?: Body}} Message */

/**
 * @typedef {object} Answer what the server keeps of one entry
 * @property {Summary} summary
 * @property {Message} request
 * @property {Message} [answer]
 * @property {import("./body.js").State} [stateBefore]
 * @property {import("./body.js").State} [stateAfter]
 * @property {{summary: Summary, body?: Body}[]} [calls]
 * @property {string} [curl]
 *
 * @typedef {object} Help
 * @property {string} base
 * @property {(text: string) => void} announce
 * @property {(id: number) => boolean} show goes to the row of another entry
 * @property {() => void} onDrawn
 * @property {{request: {open: boolean}, answer: {open: boolean}}} headers whether they are shown, in all rows alike
 */

export class Detail {
  #abort = new AbortController();
  #parts = new Map();
  #drawn = new Map();
  #loading = 0;
  #said = el("span", { className: "ins-said" });

  /**
   * @param {HTMLElement} body
   * @param {Summary} entry
   * @param {Help} help
   */
  constructor(body, entry, help) {
    this.entry = entry;
    this.help = help;
    for (const name of ["says", "trouble", "buttons", "request", "answer", "state", "calls"]) {
      const part = el("div", { className: `ins-part ins-part-${name}` });
      this.#parts.set(name, part);
      body.append(part);
    }
    this.#part("says", explain(entry), (text) => [el("p", { className: "ins-says" }, text)]);
    this.load();
  }

  /** The entry has changed. @param {Summary} entry */
  update(entry) {
    this.entry = entry;
    this.load();
  }

  close() {
    this.#abort.abort();
  }

  async load() {
    const turn = ++this.#loading;
    let problem = "";
    try {
      const response = await fetch(`${this.help.base}entries/${this.entry.id}`, { signal: this.#abort.signal });
      const answer = await response.json();
      if (turn !== this.#loading) return; // a later one is under way
      if (response.ok) {
        this.#draw(answer);
        return;
      }
      problem = response.status === 404 ? "It is too old: its details are no longer kept." : answer.error;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      problem = `The details cannot be had: ${/** @type {Error} */ (error).message}.`;
    }
    this.#part("trouble", { problem }, () => [el("p", { className: "ins-problem" }, problem)]);
    this.help.onDrawn();
  }

  /** @param {Answer} detail */
  #draw(detail) {
    const entry = detail.summary;
    const { error, hint } = entry;
    this.#part("says", explain(entry, detail), (text) => [el("p", { className: "ins-says" }, text)]);
    this.#part("trouble", { error, hint }, () => (error || hint ? [troubleView(error, hint)] : []));
    this.#part("buttons", { resend: entry.resendable, curl: detail.curl, again: entry.again }, () => this.#buttons(detail));
    this.#part("request", detail.request, (request) => [this.#message("Request", request, [
      el("span", { className: "ins-method" }, request.method), " ", el("span", {}, request.url)])]);
    this.#part("answer", { answer: detail.answer, took: entry.durationMs, pending: entry.pending }, () => [this.#answer(detail)]);
    this.#part("state", { before: detail.stateBefore, after: detail.stateAfter }, ({ before, after }) => (
      before || after ? [section("State of the connection", stateView(before, after))] : []));
    this.#part("calls", detail.calls ?? [], (calls) => (calls.length ? [callsView(calls)] : []));
    this.help.onDrawn();
  }

  /**
   * @template T
   * @param {string} name
   * @param {T} data all that the part shows
   * @param {(data: T) => Node[]} draw
   */
  #part(name, data, draw) {
    const now = JSON.stringify(data);
    if (this.#drawn.get(name) === now) return;
    this.#drawn.set(name, now);
    this.#parts.get(name).replaceChildren(...draw(data));
  }

  /** @param {string} title @param {Message} message @param {(Node | string)[]} firstLine */
  #message(title, message, firstLine) {
    const lower = title.toLowerCase();
    return section(title,
      el("p", { className: "ins-first-line" }, ...firstLine),
      bodyView(message.body, `Body of the ${lower}`),
      headersView(message.headers ?? [], `Headers of the ${lower}`, this.help.headers[title === "Request" ? "request" : "answer"]));
  }

  /** @param {Answer} detail */
  #answer({ answer, summary }) {
    if (!answer) {
      const text = summary.pending ? "Not there yet: the handler is at work." : "There was none.";
      return section("Answer", el("p", { className: "ins-none" }, text));
    }
    const took = summary.durationMs === undefined ? "" : ` after ${duration(summary.durationMs)}`;
    return this.#message("Answer", answer, [
      el("span", { className: "ins-status", "data-outcome": outcome(summary) }, `${answer.status} ${answer.statusText ?? ""}`.trim()), took]);
  }

  /** @param {Answer} detail */
  #buttons({ summary, curl }) {
    const again = el("button", { type: "button", onclick: () => this.#sendAgain(again) }, "Send again");
    const copy = el("button", { type: "button", onclick: () => this.#copy(copy, curl ?? "") }, "Copy as curl");
    const first = el("button", { type: "button", className: "plain", onclick: () => this.#showFirst() }, "Show the first one");
    const shown = [summary.resendable ? again : null, curl ? copy : null, summary.again ? first : null].filter((b) => b !== null);
    return shown.length ? [...shown, this.#said] : [];
  }

  /** @param {HTMLButtonElement} button */
  async #sendAgain(button) {
    button.disabled = true;
    try {
      const response = await fetch(`${this.help.base}entries/${this.entry.id}/again`, { method: "POST", signal: this.#abort.signal });
      if (!response.ok) throw new Error((await response.json()).error);
      this.#say(`Sent again at ${clock(new Date().toISOString()).slice(0, 8)}; the new request is the last row.`);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#say(`Not sent: ${/** @type {Error} */ (error).message}.`);
    }
    button.disabled = false;
    // A disabled button loses the focus.
    if (document.activeElement === document.body) button.focus({ preventScroll: true });
  }

  /** @param {HTMLButtonElement} button @param {string} curl */
  async #copy(button, curl) {
    try {
      await copyText(curl, button.parentElement ?? button);
      this.#say("Copied: paste it into a terminal.");
    } catch (error) {
      this.#say(`Not copied: ${/** @type {Error} */ (error).message}.`);
    }
  }

  #showFirst() {
    if (!this.help.show(this.entry.again ?? 0)) this.#say("It is not in the list any more, or filtered out.");
  }

  /** @param {string} text */
  #say(text) {
    this.#said.textContent = text;
    this.help.announce(text);
  }
}

/** @param {string} title @param {...(Node | null)} children */
function section(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

/** @param {string} [error] @param {string} [hint] */
function troubleView(error, hint) {
  return el("div", { className: "ins-trouble" },
    error ? el("p", {}, error) : null,
    hint ? el("p", {}, el("strong", {}, "Hint: "), hint) : null);
}

/** @param {{summary: Summary, body?: Body}[]} calls */
function callsView(calls) {
  const intro = `While it handled this event, the handler made ${count(calls.length, "call")} to the service’s REST API.`;
  return section("What it led to", el("p", { className: "ins-intro" }, intro),
    el("ol", { className: "ins-calls", role: "list" }, ...calls.map(({ summary, body }) => el("li", {},
      el("p", { className: "ins-first-line" },
        el("span", { className: "ins-method" }, summary.method), " ", el("span", {}, summary.url), " ",
        el("span", { className: "ins-status", "data-outcome": outcome(summary) },
          summary.pending ? "waiting" : `${summary.status || "no answer"}`)),
      el("p", { className: "ins-intro" }, explainCall(summary),
        summary.sure ? "" : " It ran at the same time; nothing proves that it belongs here."),
      summary.error ? el("p", { className: "ins-problem" }, summary.error) : null,
      body?.size ? bodyView(body, `Body of ${summary.method} ${summary.url}`) : null))));
}
