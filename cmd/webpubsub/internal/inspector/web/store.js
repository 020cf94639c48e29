// @ts-check
// What is known of the requests, bounded, and the questions about it that the
// list and the filter ask.

/** @typedef {import("./stream.js").Summary} Summary */

/**
 * @typedef {object} Criteria
 * @property {string} event the name of an event, "call", or "" for all
 * @property {string} who "own", "user:…", "connection:…", or "" for all
 * @property {boolean} failures
 * @property {string[]} hidden names of events
 */

/**
 * How a request ended. A refusal (4xx) is an answer that the handler gave on
 * purpose; a failure is one that nobody wanted.
 *
 * @param {Summary} entry
 * @returns {"pending" | "ok" | "refused" | "failed"}
 */
export function outcome(entry) {
  if (entry.pending) return "pending";
  const status = entry.status ?? 0;
  // "Is it there?" is asked with HEAD, and "no" is an answer to it.
  if (entry.kind === "call" && entry.method === "HEAD" && status === 404) return "ok";
  if (status >= 400 && status < 500 && isQuestion(entry)) return "refused";
  return status >= 200 && status < 300 && !entry.error ? "ok" : "failed";
}

/**
 * Whether the service waits for what the handler decides; of the rest it is
 * only told.
 *
 * @param {Summary} entry
 */
export function isQuestion(entry) {
  return entry.kind === "event" && (!entry.system || entry.event === "connect");
}

/** The name that a row goes by. @param {Summary} entry */
export const nameOf = (entry) => (entry.kind === "call" ? "call" : entry.event ?? entry.kind);

export class Store {
  capacity = 1000;
  /** How many are gone: skipped by the server or given up here. */
  lost = 0;
  /** @type {Map<number, Summary>} */
  #entries = new Map();
  /** Calls that belong to an event: no rows of their own. @type {Map<number, Summary>} */
  #calls = new Map();

  /** @param {number} capacity */
  reset(capacity) {
    this.clear();
    this.capacity = capacity;
  }

  clear() {
    this.#entries.clear();
    this.#calls.clear();
    this.lost = 0;
  }

  get size() {
    return this.#entries.size;
  }

  /** The id of the newest entry; 0 if there is none. */
  get newest() {
    return Math.max(0, ...this.#entries.keys());
  }

  /** @param {number} id */
  get(id) {
    return this.#entries.get(id) ?? this.#calls.get(id);
  }

  /** @param {Summary[]} entries */
  put(entries) {
    for (const entry of entries) {
      // When its event is gone, a call belongs to nobody any more, and is a row.
      const [to, from] = entry.parent ? [this.#calls, this.#entries] : [this.#entries, this.#calls];
      from.delete(entry.id);
      to.set(entry.id, entry);
    }
    this.#trim();
  }

  /** Whether one of the calls of an event is known to have failed. @param {Summary} entry */
  callFailed(entry) {
    return (entry.calls ?? []).some((id) => {
      const call = this.#calls.get(id);
      return call !== undefined && outcome(call) === "failed";
    });
  }

  /**
   * The rows that meet the criteria, the oldest first.
   *
   * @param {Criteria} criteria
   * @param {Set<string>} own the viewer's own connections
   */
  rows(criteria, own) {
    const { event, who, failures, hidden } = criteria;
    const users = who.startsWith("user:") ? this.#connectionsOf(who.slice(5)) : undefined;
    const rows = [];
    for (const entry of this.#entries.values()) {
      if (event ? nameOf(entry) !== event : hidden.includes(nameOf(entry))) continue;
      if (who === "own" && !own.has(entry.connectionId ?? "")) continue;
      if (users && entry.userId !== who.slice(5) && !users.has(entry.connectionId ?? "")) continue;
      if (who.startsWith("connection:") && entry.connectionId !== who.slice(11)) continue;
      if (failures && !this.#troubled(entry)) continue;
      rows.push(entry);
    }
    // An old one that the server skipped may come when its answer does.
    return rows.sort((a, b) => a.id - b.id);
  }

  /** What can be chosen from, in the order of appearance. */
  seen() {
    const events = new Map();
    const users = new Set();
    const connections = new Map();
    const hubs = new Set();
    for (const entry of this.#entries.values()) {
      events.set(nameOf(entry), entry.kind === "event" && !entry.system);
      if (entry.hub) hubs.add(entry.hub);
      if (entry.userId) users.add(entry.userId);
      if (entry.connectionId) {
        connections.set(entry.connectionId, entry.userId ?? connections.get(entry.connectionId));
      }
    }
    return { events, users, connections, hubs };
  }

  /** Gives up the oldest, as the server does, which counts calls too. */
  #trim() {
    const excess = this.#entries.size + this.#calls.size - this.capacity;
    if (excess <= 0) return;
    const ids = [...this.#entries.keys(), ...this.#calls.keys()].sort((a, b) => a - b);
    for (const id of ids.slice(0, excess)) {
      if (this.#entries.delete(id)) this.lost++;
      this.#calls.delete(id);
    }
  }

  /** @param {Summary} entry */
  #troubled(entry) {
    const end = outcome(entry);
    return end === "refused" || end === "failed" || this.callFailed(entry);
  }

  /**
   * The connections of a user. A connect event is sent before the handler has
   * named the user, and yet it is that user's.
   *
   * @param {string} user
   */
  #connectionsOf(user) {
    const connections = new Set();
    for (const entry of this.#entries.values()) {
      if (entry.userId === user && entry.connectionId) connections.add(entry.connectionId);
    }
    return connections;
  }
}
