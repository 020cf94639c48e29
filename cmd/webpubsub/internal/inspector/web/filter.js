// @ts-check
// The controls that narrow the list. What is chosen outlives a reload of the
// page, but not its tab.

import { el, setText } from "./dom.js";
import { shortID } from "./format.js";

/** @typedef {import("./store.js").Criteria} Criteria */
/** @typedef {ReturnType<import("./store.js").Store["seen"]>} Seen */
/** @typedef {[value: string, label: string]} Choice */
/** @typedef {[group: string, choices: Choice[]]} Group */

const KEY = "inspector.filter";
const MANY = 100; // choices of one kind: the newest

export class Filter {
  element;
  /** @type {Criteria} */
  criteria = { event: "", who: "", failures: false, hidden: [] };
  #event = el("select", { "aria-label": "Event" });
  #who = el("select", { "aria-label": "User or connection" });
  #failures = el("input", { type: "checkbox" });
  #hide = el("button", { type: "button" }, "Hide these");
  #clear = el("button", { type: "button", className: "plain ins-clear-filter" }, "Clear filter");
  #hidden = el("span", { className: "ins-hidden", role: "group", "aria-label": "Hidden events" });
  #count = el("span", { className: "ins-count" });
  /** What the selects offer, to leave them alone while that stays. */
  #offered = { event: "", who: "" };
  #onChange;

  /** @param {() => void} onChange @param {string[]} hidden names of events, at first */
  constructor(onChange, hidden) {
    this.#onChange = onChange;
    this.criteria.hidden = hidden;
    this.#restore();
    this.element = el("div", { className: "ins-filter", role: "group", "aria-label": "Filter" },
      this.#event, this.#hide, this.#who,
      el("label", { className: "ins-check" }, this.#failures, "Failures only"),
      this.#clear, this.#hidden, this.#count);
    this.#event.addEventListener("change", () => this.#choose({ event: this.#event.value }));
    this.#who.addEventListener("change", () => this.#choose({ who: this.#who.value }));
    this.#failures.addEventListener("change", () => this.#choose({ failures: this.#failures.checked }));
    this.#hide.addEventListener("click", () => {
      const { event, hidden } = this.criteria;
      this.#choose({ event: "", hidden: [...hidden, event] });
      this.#event.focus(); // the button is gone
    });
    this.#clear.addEventListener("click", () => {
      this.clear();
      this.#event.focus(); // the button is gone
    });
    this.offer({ events: new Map(), users: new Set(), connections: new Map(), hubs: new Set() }, false);
    this.#show();
  }

  get active() {
    const { event, who, failures } = this.criteria;
    return event !== "" || who !== "" || failures;
  }

  clear() {
    this.#choose({ event: "", who: "", failures: false });
  }

  /** Shows everything, also the events that are hidden. */
  showAll() {
    this.#choose({ event: "", who: "", failures: false, hidden: [] });
  }

  /** Says how many rows are left of how many. @param {number} shown @param {number} all */
  count(shown, all) {
    setText(this.#count, this.active ? `${shown} of ${all}` : "");
  }

  /**
   * Offers what was seen so far.
   *
   * @param {Seen} seen
   * @param {boolean} own the viewer has a connection
   */
  offer(seen, own) {
    const events = [...seen.events].slice(-MANY);
    const named = (/** @type {boolean} */ user) => events.filter((e) => e[1] === user).map(([name]) => /** @type {Choice} */ ([name, name]));
    this.#fill("event", this.#event, "All events", [["Of the service", named(false)], ["Of your application", named(true)]]);

    const connections = [...seen.connections].slice(-MANY).map(([id, user]) => (
      /** @type {Choice} */ ([`connection:${id}`, user ? `${shortID(id)} (${user})` : shortID(id)])));
    this.#fill("who", this.#who, "Everybody", [
      ["", own || this.criteria.who === "own" ? [["own", "Only my connection"]] : []],
      ["Users", [...seen.users].slice(-MANY).sort().map((user) => [`user:${user}`, user])],
      ["Connections", connections],
    ]);
  }

  /**
   * @param {"event" | "who"} name
   * @param {HTMLSelectElement} select
   * @param {string} all
   * @param {Group[]} groups
   */
  #fill(name, select, all, groups) {
    const chosen = this.criteria[name];
    const known = chosen === "" || groups.some(([, choices]) => choices.some(([value]) => value === chosen));
    if (!known) groups = [...groups, ["", [[chosen, chosen.replace(/^(user|connection):/, "")]]]];
    const offered = JSON.stringify(groups);
    // An open list must not change under the hand that chooses from it.
    if (offered === this.#offered[name] || document.activeElement === select) return;
    this.#offered[name] = offered;
    select.replaceChildren(el("option", { value: "" }, all), ...groups.flatMap(([label, choices]) => {
      const options = choices.map(([value, text]) => el("option", { value }, text));
      return label && options.length ? [el("optgroup", { label }, ...options)] : options;
    }));
    select.value = chosen;
  }

  /** @param {Partial<Criteria>} choice */
  #choose(choice) {
    Object.assign(this.criteria, choice);
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.criteria));
    } catch {
      // The browser keeps nothing for this page; then the filter ends with it.
    }
    this.#show();
    this.#onChange();
  }

  #show() {
    const { event, who, failures, hidden } = this.criteria;
    this.#event.value = event;
    this.#who.value = who;
    this.#failures.checked = failures;
    this.#clear.hidden = !this.active;
    this.#hide.hidden = event === "" || hidden.includes(event);
    this.#hidden.replaceChildren(...hidden.map((name) => el("button", {
      type: "button", className: "ins-chip", title: `Show ${name} again`, onclick: () => this.#unhide(name),
    }, el("span", {}, `${name} hidden`), el("span", { "aria-hidden": "true" }, "✕"))));
    this.#event.classList.toggle("ins-chosen", event !== "");
    this.#who.classList.toggle("ins-chosen", who !== "");
  }

  /** @param {string} name */
  #unhide(name) {
    this.#choose({ hidden: this.criteria.hidden.filter((other) => other !== name) });
    this.#event.focus(); // the button is gone
  }

  #restore() {
    try {
      const { event, who, failures, hidden } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
      this.criteria = {
        event: String(event ?? ""), who: String(who ?? ""), failures: failures === true,
        hidden: Array.isArray(hidden) ? hidden.map(String) : this.criteria.hidden,
      };
    } catch {
      // Nothing that can be read was kept.
    }
  }
}
