// @ts-check
// The stream of what happens, kept open as long as somebody can see it.

/**
 * What the list knows of one request; the details are asked for when a row is
 * opened.
 *
 * @typedef {object} Summary
 * @property {number} id
 * @property {"event" | "consent" | "call"} kind
 * @property {string} time
 * @property {boolean} [pending]
 * @property {number} [durationMs]
 * @property {string} [hub]
 * @property {string} [connectionId]
 * @property {string} [userId]
 * @property {string} [event]
 * @property {boolean} [system]
 * @property {string} [method]
 * @property {string} [url]
 * @property {number} [status]
 * @property {number} [attempts]
 * @property {string} [error]
 * @property {string} [hint]
 * @property {number} [again] the request that this one repeats
 * @property {boolean} [resendable]
 * @property {number} [parent] of a call: the event it belongs to
 * @property {boolean} [sure] of a call: it certainly belongs there
 * @property {number} [recipients]
 * @property {number[]} [calls]
 * @property {boolean} [stateChanged]
 *
 * @typedef {object} Listener
 * @property {(capacity: number) => void} onHello everything known so far is void; what there is follows
 * @property {(entries: Summary[]) => void} onEntries new and changed ones
 * @property {(entries: number) => void} onSkipped so many were left out: there were too many at once
 * @property {() => void} onCleared
 * @property {(connected: boolean) => void} onConnection
 */

const RETRY_MS = 2000;

/**
 * Follows the stream until the returned function is called. It is closed while
 * the page is hidden: a browser allows few connections to one server, and a
 * stream in each of some forgotten tabs would use them up.
 *
 * @param {string} url
 * @param {Listener} listener
 * @returns {() => void}
 */
export function follow(url, listener) {
  /** @type {EventSource | undefined} */
  let source;
  let timer = 0;

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    const opened = new EventSource(url);
    source = opened;
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ take) => {
      opened.addEventListener(name, (event) => take(JSON.parse(event.data)));
    };
    on("hello", ({ capacity }) => {
      listener.onConnection(true);
      listener.onHello(capacity);
    });
    on("entries", listener.onEntries);
    on("skipped", ({ entries }) => listener.onSkipped(entries));
    on("cleared", listener.onCleared);
    opened.addEventListener("error", () => {
      listener.onConnection(false);
      // The browser tries again by itself after a lost connection, but not
      // after an answer that is no stream.
      if (opened.readyState === EventSource.CLOSED) timer = window.setTimeout(open, RETRY_MS);
    });
  };
  const look = () => {
    if (document.hidden) {
      close();
    } else if (!source) {
      open();
    }
  };

  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
  };
}
