// @ts-check
// The list of rows: what is in the document, where the view stands, and the keys.
//
// The newest row is the last one, as in a log: an event stands above what it
// caused. At the end of the list the view follows what comes, unless somebody
// is about to use a row: then nothing moves until that is over.

import { Row, keyOf } from "./row.js";

/** @typedef {import("./stream.js").Summary} Summary */
/** @typedef {import("./row.js").Surroundings} Surroundings */

const LIMIT = 500; // rows in the document
const AIM_MS = 1200; // a pointer that moved so recently may be about to press
const EDGE_PX = 6;

/**
 * @typedef {object} Hooks
 * @property {(row: Row) => void} onOpen its body is there and empty
 * @property {(row: Row) => void} onClose
 * @property {(row: Row) => void} onChange an open row has news
 * @property {() => void} onRest what was held back can be drawn, or has been seen
 */

export class RowList {
  /** @type {Row[]} in the order of their ids */
  #rows = [];
  #following = true;
  #seenTo = 0;
  #top = 0; // where the view was
  #pointerAt = -Infinity;
  #timer = 0;
  /** @type {Row | undefined} the one that Tab goes to */
  #current;
  #scroller;
  #list;
  #hooks;
  #resize;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} list
   * @param {Hooks} hooks
   */
  constructor(scroller, list, hooks) {
    this.#scroller = scroller;
    this.#list = list;
    this.#hooks = hooks;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    list.addEventListener("pointermove", (event) => this.#pointed(event), { passive: true });
    list.addEventListener("pointerleave", () => this.#released());
    list.addEventListener("focusout", () => hooks.onRest());
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("keydown", (event) => this.#pressed(event));
    this.#resize = new ResizeObserver(() => {
      if (this.#following && !this.#held()) this.toEdge();
    });
    this.#resize.observe(scroller);
  }

  destroy() {
    this.#resize.disconnect();
    clearTimeout(this.#timer);
  }

  /** How many rows there are. */
  get size() {
    return this.#rows.length;
  }

  /** The id of the oldest row, which is where the list begins. */
  get firstID() {
    return this.#rows[0]?.entry.id ?? Infinity;
  }

  /** @param {number} id */
  row(id) {
    return this.#rows.find((row) => row.entry.id === id);
  }

  /** How many of the entries the reader has not had in view at the end of the list. @param {Summary[]} entries */
  unseen(entries) {
    let n = 0;
    for (let i = entries.length - 1; i >= 0 && entries[i].id > this.#seenTo; i--) n++;
    return n;
  }

  /**
   * Shows the entries, which are in the order of their ids. While the reader
   * holds the view, rows are only added at the end and none are taken away.
   *
   * @param {Summary[]} entries
   * @param {Surroundings} surroundings
   * @param {{anew?: boolean, stopped?: boolean}} [how] anew: it is another list, shown from its end; stopped: the view stays where it is
   * @returns {boolean} whether the view followed, so that what is above the rows may change too
   */
  render(entries, surroundings, { anew = false, stopped = false } = {}) {
    if (anew) this.#following = true;
    const moving = anew || (!stopped && this.#following && !this.#held());
    const wanted = moving ? entries.slice(-LIMIT) : this.#heldRows(entries);
    const rows = new Map(this.#rows.map((row) => [row.key, row]));
    const next = [];
    for (const entry of wanted) {
      const key = keyOf(entry);
      let row = rows.get(key);
      if (!row) {
        row = new Row(entry, surroundings);
      } else if (row.update(entry, surroundings) && row.body) {
        this.#hooks.onChange(row);
      }
      rows.delete(key);
      next.push(row);
    }
    for (const row of rows.values()) this.#drop(row);
    this.#place(next);
    this.#rows = next;
    this.#keepTabStop();
    if (moving) this.toEdge();
    if (this.#atEdge()) this.#markSeen(entries);
    return moving;
  }

  /** Goes to the end of the list; the next render follows from there. */
  follow() {
    this.#following = true;
    this.#pointerAt = -Infinity;
  }

  /** Brings a row and its details into view, the beginning first. @param {Row} row */
  reveal(row) {
    const view = this.#scroller.getBoundingClientRect();
    const box = row.element.getBoundingClientRect();
    if (box.top < view.top) {
      this.#scroller.scrollTop += box.top - view.top;
    } else if (box.bottom > view.bottom) {
      this.#scroller.scrollTop += Math.min(box.bottom - view.bottom, box.top - view.top);
    }
  }

  /** Goes to a row, if it is still there. @param {number} id */
  focus(id) {
    const row = this.row(id);
    if (!row) return false;
    this.#focus(row);
    this.reveal(row);
    return true;
  }

  /** @param {Summary[]} entries */
  #heldRows(entries) {
    const known = new Map(entries.map((entry) => [keyOf(entry), entry]));
    const kept = this.#rows.map((row) => known.get(row.key) ?? row.entry);
    const last = kept.at(-1)?.id ?? 0;
    const newer = entries.filter((entry) => entry.id > last);
    return kept.concat(newer.slice(0, Math.max(0, LIMIT - kept.length)));
  }

  /** @param {Row} row */
  #drop(row) {
    if (row.body) this.#hooks.onClose(row);
    if (row === this.#current) this.#current = undefined;
    if (row.element.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
    row.element.remove();
  }

  /** Puts the rows into the document; those in place stay untouched. @param {Row[]} rows */
  #place(rows) {
    let at = this.#list.firstElementChild;
    for (const row of rows) {
      if (row.element === at) {
        at = at.nextElementSibling;
      } else {
        this.#list.insertBefore(row.element, at);
      }
    }
  }

  #keepTabStop() {
    const stop = this.#current ?? this.#rows.at(-1);
    for (const row of this.#rows) {
      const index = row === stop ? 0 : -1;
      if (row.line.tabIndex !== index) row.line.tabIndex = index;
    }
  }

  /** Whether somebody is reading, aiming or on the way by keyboard. */
  #held() {
    if (performance.now() - this.#pointerAt < AIM_MS) return true;
    const focused = document.activeElement;
    if (focused && this.#list.contains(focused) && focused.matches(":focus-visible")) return true;
    const view = this.#scroller.getBoundingClientRect();
    return this.#rows.some((row) => {
      if (!row.body) return false;
      const box = row.element.getBoundingClientRect();
      return box.bottom > view.top && box.top < view.bottom;
    });
  }

  #atEdge() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight <= EDGE_PX;
  }

  /** Shows the end. */
  toEdge() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  /** @param {Summary[]} entries */
  #markSeen(entries) {
    const last = this.#rows.at(-1)?.entry.id;
    // With nothing that matches, nothing waits to be seen.
    this.#seenTo = last ?? entries.at(-1)?.id ?? 0;
  }

  #scrolled() {
    // Only the way up leaves the end: that it moved away by itself says nothing.
    const up = this.#scroller.scrollTop < this.#top - 1;
    this.#top = this.#scroller.scrollTop;
    if (this.#atEdge()) {
      this.#following = true;
      this.#hooks.onRest();
    } else if (up) {
      this.#following = false;
    }
  }

  /** @param {PointerEvent} event */
  #pointed(event) {
    if (event.pointerType === "touch") return; // it scrolls, and that is seen
    this.#pointerAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#released(), AIM_MS);
  }

  #released() {
    clearTimeout(this.#timer);
    this.#pointerAt = -Infinity;
    this.#hooks.onRest();
  }

  /** @param {Event} event */
  #rowOf(event) {
    const element = /** @type {Element} */ (event.target).closest(".ins-row");
    return this.#rows.find((row) => row.element === element);
  }

  /** @param {Event} event */
  #clicked(event) {
    const row = this.#rowOf(event);
    if (!row?.line.contains(/** @type {Node} */ (event.target))) return;
    this.#current = row;
    this.#keepTabStop();
    this.#toggle(row);
  }

  /** @param {Row} row */
  #toggle(row) {
    if (row.body) {
      this.#hooks.onClose(row);
      row.setOpen(false);
      this.#hooks.onRest();
    } else {
      row.setOpen(true);
      this.#hooks.onOpen(row);
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const row = this.#rowOf(event);
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && row.body) {
      this.#focus(row);
      this.#toggle(row);
    } else if (event.target === row.line) {
      const at = this.#rows.indexOf(row);
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.#rows.length - 1 }[event.key];
      if (next === undefined) return;
      if (this.#rows[next]) this.#focus(this.#rows[next]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Row} row */
  #focus(row) {
    this.#current = row;
    this.#keepTabStop();
    row.line.focus();
  }
}
