// @ts-check
// The panel: every request that the service makes to the event handler, live.

import { Detail } from "./detail.js";
import { el, setText } from "./dom.js";
import { Filter } from "./filter.js";
import { number } from "./format.js";
import { introduction } from "./intro.js";
import { RowList } from "./list.js";
import { failureOf, keyOf } from "./row.js";
import { Store, outcome } from "./store.js";
import { follow } from "./stream.js";

/** @typedef {import("./stream.js").Summary} Summary */
/** @typedef {import("./row.js").Surroundings} Surroundings */
/** @typedef {import("./row.js").Row} Row */

const SETTLE_MS = 300; // after a reconnect, the entries follow so soon
const QUIET_MS = 3000; // between two announcements of failures

/**
 * @typedef {object} Options
 * @property {string} [base] where the inspector is served
 * @property {string} [title]
 * @property {(Node | string)[]} [intro] what there is to see, for who does not know; it can be closed
 * @property {string} [nothingYet] what to do when there is nothing to see
 * @property {string[]} [hidden] names of events that are not shown at first
 */

/**
 * Puts the panel into an element, which gives it its size.
 *
 * @param {HTMLElement} element
 * @param {Options} [options]
 * @returns {{setOwnConnection(connectionId: string | undefined): void, destroy(): void}}
 */
export function mountInspector(element, options = {}) {
  const panel = new Panel(options);
  element.append(panel.element);
  return {
    setOwnConnection: (id) => panel.setOwnConnection(id),
    destroy: () => panel.destroy(),
  };
}

class Panel {
  element;
  #base;
  #store = new Store();
  /** @type {Set<string>} all that the viewer has had: a new one after a break is still the viewer's */
  #own = new Set();
  /** @type {Surroundings} */
  #surroundings = { hubs: false, own: this.#own, callFailed: (entry) => this.#store.callFailed(entry) };
  /** @type {Map<Row, Detail>} */
  #details = new Map();
  #headers = { request: { open: false }, answer: { open: false } };
  #frame = 0;
  #settling = 0;
  #anew = true;
  #dirty = true; // what is known has changed since the last frame
  /** @type {Summary[]} */
  #rows = [];
  /** @type {number | undefined} the newest entry when the list was stopped */
  #pausedAt;
  /** @type {Summary[]} failures that were not announced yet */
  #failed = [];
  #quiet = 0;

  #filter;
  #pause = el("button", { type: "button", className: "ins-pause", "aria-pressed": "false", onclick: () => this.#togglePause() }, "Pause");
  #clear = el("button", { type: "button", onclick: () => this.#clearAll() }, "Clear");
  #stream = el("p", { className: "ins-stream", "data-state": "waiting" }, el("span", { className: "ins-dot" }), el("span", {}, "connecting"));
  #older = el("p", { className: "ins-older", hidden: true });
  #ol = el("ol", { className: "ins-rows", role: "list", "aria-label": "Requests, the newest last" });
  #emptyTitle = el("p", {}, el("strong", {}, "Nothing yet."));
  #empty = el("div", { className: "ins-empty" });
  #scroller = el("div", { className: "ins-scroller", tabIndex: -1 }, this.#older, this.#ol, this.#empty);
  #newer = el("button", { type: "button", className: "ins-newer", hidden: true, onclick: () => this.#catchUp() });
  #live = el("div", { className: "visually-hidden", role: "status" });
  #list;
  #unfollow;
  #nothingYet;

  /** @param {Options} options */
  constructor({ base = "/inspector/", title = "Requests to the handler", intro = [], nothingYet = "", hidden = [] }) {
    this.#base = base;
    this.#nothingYet = nothingYet;
    this.#filter = new Filter(() => this.#draw({ anew: true }), hidden);
    const columns = ["Time", "Event", "Who", "Answer", "Took", "Led to"];
    this.element = el("section", { className: "inspector", "aria-label": "Inspector" },
      el("div", { className: "ins-head" }, el("h2", {}, title), this.#stream, this.#pause, this.#clear),
      intro.length ? introduction(intro) : null,
      this.#filter.element,
      el("div", { className: "ins-columns", "aria-hidden": "true" }, ...columns.map((name) => el("span", {}, name))),
      el("div", { className: "ins-view" }, this.#scroller, this.#newer),
      this.#live);
    this.#list = new RowList(this.#scroller, this.#ol, {
      onOpen: (row) => this.#open(row),
      onClose: (row) => this.#close(row),
      onChange: (row) => this.#details.get(row)?.update(row.entry),
      onRest: () => this.#draw(),
    });
    this.#unfollow = follow(`${base}stream`, {
      onHello: (capacity) => this.#hello(capacity),
      onEntries: (entries) => this.#take(entries),
      onSkipped: (entries) => { this.#store.lost += entries; },
      onCleared: () => this.#forget(),
      onConnection: (connected) => this.#connected(connected),
    });
    this.#draw();
  }

  /** @param {string | undefined} id */
  setOwnConnection(id) {
    if (!id || this.#own.has(id)) return;
    this.#own.add(id);
    this.#surroundings = { ...this.#surroundings };
    this.#dirty = true;
    this.#draw();
  }

  destroy() {
    this.#unfollow();
    this.#list.destroy();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settling);
    clearTimeout(this.#quiet);
    for (const detail of this.#details.values()) detail.close();
    this.element.remove();
  }

  /** @param {number} capacity */
  #hello(capacity) {
    this.#store.reset(capacity);
    // The rows stay until their entries are here again, so that nothing flickers.
    this.#settling = window.setTimeout(() => this.#settle(), SETTLE_MS);
  }

  #settle() {
    clearTimeout(this.#settling);
    this.#settling = 0;
    this.#dirty = true;
    const last = this.#rows.at(-1);
    const known = last && this.#store.get(last.id);
    // Another service, or the same one with nothing left of what is shown.
    if (!known || keyOf(known) !== keyOf(/** @type {Summary} */ (last))) {
      if (this.#pausedAt !== undefined) this.#pausedAt = 0;
      this.#anew = true;
    }
    this.#draw();
  }

  /** @param {Summary[]} entries */
  #take(entries) {
    const failed = entries.filter((entry) => outcome(entry) === "failed" && !this.#knownToFail(entry.id));
    this.#store.put(entries);
    if (this.#settling) {
      // The entries come in parts; the rows can stay when their last one is there.
      const last = this.#rows.at(-1);
      if (!last || this.#store.get(last.id)) this.#settle();
      return;
    }
    this.#failed.push(...failed);
    this.#announceFailures();
    this.#dirty = true;
    this.#draw();
  }

  #forget() {
    this.#store.clear();
    this.#dirty = true;
    if (this.#pausedAt !== undefined) this.#pausedAt = 0;
    this.#draw({ anew: true });
  }

  /** @param {boolean} connected */
  #connected(connected) {
    this.#stream.dataset.state = connected ? "live" : "waiting";
    this.#stream.lastElementChild.textContent = connected ? "live" : "the service is gone, waiting for it";
  }

  /** Draws in the next frame: a thousand entries a second are sixty drawings. */
  #draw({ anew = false } = {}) {
    this.#anew ||= anew;
    if (anew) this.#dirty = true;
    if (!this.#settling) this.#frame ||= requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    this.#frame = 0;
    if (this.#settling) return;
    if (this.#dirty) {
      const seen = this.#store.seen();
      this.#filter.offer(seen, this.#own.size > 0);
      if (this.#surroundings.hubs !== seen.hubs.size > 1) this.#surroundings = { ...this.#surroundings, hubs: seen.hubs.size > 1 };
      this.#rows = this.#store.rows(this.#filter.criteria, this.#own);
    }
    const stop = this.#pausedAt;
    const rows = stop === undefined ? this.#rows : this.#rows.filter((entry) => entry.id <= stop);
    const followed = this.#list.render(rows, this.#surroundings, { anew: this.#anew, stopped: stop !== undefined });
    this.#dirty = this.#anew = false;

    this.#filter.count(this.#rows.length, this.#store.size);
    if (followed) this.#countOlder(rows);
    this.#offerNewer(rows);
    this.#showEmpty();
  }

  /** @param {Summary[]} rows */
  #countOlder(rows) {
    const first = this.#list.firstID;
    const older = this.#store.lost + rows.filter((entry) => entry.id < first).length;
    setText(this.#older, `… ${number(older)} not shown`);
    if (this.#older.hidden === (older === 0)) return;
    this.#older.hidden = older === 0;
    this.#list.toEdge();
  }

  /** @param {Summary[]} rows */
  #offerNewer(rows) {
    const paused = this.#pausedAt !== undefined;
    const waiting = paused ? this.#rows.length - rows.length : this.#list.unseen(rows);
    const many = waiting >= this.#store.capacity ? `${number(waiting)}+` : number(waiting);
    this.#newer.hidden = paused || waiting === 0;
    setText(this.#newer, `${many} new ↓`);
    setText(this.#pause, !paused ? "Pause" : waiting ? `Resume, ${many} new` : "Resume");
  }

  #showEmpty() {
    const kind = this.#list.size > 0 ? "" : this.#store.size === 0 ? "nothing" : "filtered";
    if (this.#empty.dataset.kind === kind) return;
    this.#empty.dataset.kind = kind;
    this.#empty.hidden = kind === "";
    if (kind === "nothing") {
      this.#empty.replaceChildren(this.#emptyTitle, el("p", {}, this.#nothingYet));
    } else if (kind === "filtered") {
      const clear = el("button", { type: "button", onclick: () => this.#filter.showAll() }, "Show all");
      this.#empty.replaceChildren(el("p", {}, "No request matches the filter."), clear);
    }
  }

  #catchUp() {
    this.#list.follow();
    this.#draw({ anew: true });
    this.#scroller.focus({ preventScroll: true }); // the button is about to go
  }

  #togglePause() {
    const pausing = this.#pausedAt === undefined;
    this.#pausedAt = pausing ? this.#store.newest : undefined;
    this.#pause.setAttribute("aria-pressed", String(pausing));
    this.element.classList.toggle("ins-paused", pausing);
    this.#announce(pausing ? "Paused." : "Resumed.");
    this.#draw({ anew: !pausing });
  }

  async #clearAll() {
    try {
      const response = await fetch(`${this.#base}entries`, { method: "DELETE" });
      if (!response.ok) throw new Error(String(response.status));
      this.#announce("Cleared.");
    } catch {
      this.#announce("Not cleared: the service did not answer.");
    }
  }

  /** @param {Row} row */
  #open(row) {
    const body = /** @type {HTMLElement} */ (row.body);
    let fresh = true;
    this.#details.set(row, new Detail(body, row.entry, {
      base: this.#base,
      announce: (text) => this.#announce(text),
      show: (id) => this.#list.focus(id),
      headers: this.#headers,
      onDrawn: () => {
        if (fresh) this.#list.reveal(row);
        fresh = false;
      },
    }));
  }

  /** @param {Row} row */
  #close(row) {
    this.#details.get(row)?.close();
    this.#details.delete(row);
  }

  /** @param {number} id */
  #knownToFail(id) {
    const known = this.#store.get(id);
    return known !== undefined && outcome(known) === "failed";
  }

  /** One failure is read out; of many, how many there are. */
  #announceFailures() {
    if (this.#quiet || this.#failed.length === 0) return;
    this.#announce(this.#failed.length === 1 ? failureOf(this.#failed[0]) : `${this.#failed.length} requests failed.`);
    this.#failed = [];
    this.#quiet = window.setTimeout(() => {
      this.#quiet = 0;
      this.#announceFailures();
    }, QUIET_MS);
  }

  /** @param {string} text */
  #announce(text) {
    this.#live.textContent = text;
  }
}
