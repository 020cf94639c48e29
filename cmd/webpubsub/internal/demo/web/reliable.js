// A client of Azure Web PubSub that loses nothing: the subprotocol
// json.reliable.webpubsub.azure.v1 in one file.
//
// What makes it reliable:
//   - The service numbers its messages (sequenceId). The client tells from time
//     to time up to which it has them (sequenceAck), and the service keeps the
//     others.
//   - The client numbers its requests (ackId) and keeps each until its ack. The
//     service answers a number that it has carried out before with "Duplicate".
//   - When the network connection is lost, the service keeps the connection for
//     30 seconds. The client takes it up again with its id and reconnection
//     token, both sides send again what the other did not acknowledge, and the
//     application has not noticed anything.
//   - When that fails, the client starts over with a new connection.

const SUBPROTOCOL = "json.reliable.webpubsub.azure.v1";

const RECOVERY_WINDOW = 30_000; // for so long the service keeps a lost connection
const PAUSES = [300, 600, 1200, 2500, 5000]; // before each further attempt
const REFUSALS = 3; // in a row: then somebody does not want us
const ACK_PAUSE = 300; // a sequenceAck says "up to", so one now and then is enough,
const ACK_AT_ONCE = 100; // unless so many wait for it
const SILENCE = 15_000; // after that we ask whether anybody is there,
const PATIENCE = 5_000; // and wait that long for a sign of life
const OPENING = 120_000; // the connect handler may take its time
const MAX_REQUESTS = 1000; // that wait for an ack

const NORMAL = 1000; // close codes: the connection was ended on purpose,
const POLICY = 1008; // it cannot be recovered,
const NO_ANSWER = 4000; // and our own: the other side is silent

/** Why a request failed: the error of its ack. */
export class RequestError extends Error {
  constructor({ name = "Error", message = "" } = {}) {
    super(message);
    this.name = name;
  }
}

/**
 * A connection that mends itself. It dispatches these events, with a detail:
 *
 *   "state" {state: "connecting" | "reconnecting", failures}
 *           {state: "connected", connectionId, recovered}   recovered: it is the same connection as before
 *           {state: "ended", reason: "stopped" | "refused" | "closed", message}
 *   "data"  {from: "group" | "server", group, data}         each message once, in order
 *
 * After "ended" it stays so until start is called again.
 */
export class ReliableClient extends EventTarget {
  #negotiate; // asks the application for a URL with an access token
  #life = null; // an AbortController, from start to the end
  #socket = null;
  #ready = false; // requests may be written to the socket
  #connection = null; // {id, token, url}: what the service would give back to us
  #lostAt = 0;
  #farewell = ""; // the message of "disconnected"
  #wake = () => {}; // ends the pause before the next attempt
  #probe = () => {}; // asks for a sign of life

  #requests = new Map(); // ackId → {frame, resolve, reject}, without an ack so far
  #lastAckId = 0;
  #groups = new Set(); // that we are in or want to be in
  #lastSequenceId = 0;
  #unacknowledged = 0; // messages since the last sequenceAck
  #ackTimer = 0;

  /** @param {() => Promise<string>} negotiate */
  constructor(negotiate) {
    super();
    this.#negotiate = negotiate;
  }

  /** Connects, and stays connected. */
  start() {
    if (this.#life) return;
    this.#life = new AbortController();
    this.#run(this.#life.signal);
  }

  /** Leaves for good: the service does not wait for our return. */
  stop() {
    if (this.#life) this.#end("stopped", "You left.");
  }

  /** Sends an event to the application; resolves when it was taken. */
  event(name, data) {
    return this.#request({ type: "event", event: name, dataType: "json", data });
  }

  /** Sends an event that may get lost: nothing waits for it, nothing repeats it. */
  hint(name, data) {
    if (this.#ready) this.#write({ type: "event", event: name, dataType: "json", data });
  }

  /** Joins a group, and joins it again whenever there is a new connection. */
  join(group) {
    this.#groups.add(group);
    return this.#request({ type: "joinGroup", group });
  }

  leave(group) {
    this.#groups.delete(group);
    return this.#request({ type: "leaveGroup", group });
  }

  /** The network may be back: tries at once, or asks whether all is well. */
  check() {
    this.#wake();
    this.#probe();
  }

  // One conversation after the other, until it ends on purpose.
  async #run(signal) {
    let met = false; // the service, at least once
    let failures = 0; // since it was last heard
    let refusals = 0; // of a newcomer whom negotiate had sent there
    this.#emit("state", { state: "connecting", failures });
    for (;;) {
      if (Date.now() - this.#lostAt > RECOVERY_WINDOW) this.#connection = null;
      const { heard, code, sent } = await this.#attempt(signal);
      if (signal.aborted) return;
      if (heard) {
        met = true;
        failures = 0;
        this.#lostAt = Date.now();
      }
      if (code === NORMAL) return this.#end("closed", this.#farewell || "The server closed the connection.");
      if (code === POLICY) this.#connection = null;
      if (!met && sent && ++refusals === REFUSALS) return this.#end("refused", "The server refused the connection.");
      this.#emit("state", { state: met ? "reconnecting" : "connecting", failures });
      await this.#pause(PAUSES[Math.min(failures++, PAUSES.length - 1)]);
      if (signal.aborted) return;
    }
  }

  // Takes up the connection, or makes a new one.
  async #attempt(signal) {
    if (this.#connection) return this.#converse(recoveryURL(this.#connection), true, signal);
    let url;
    try {
      url = await this.#negotiate();
    } catch {
      return { heard: false, sent: false };
    }
    return signal.aborted ? {} : this.#converse(url, false, signal);
  }

  // Resolves when the WebSocket is over. heard says whether it ever carried a
  // frame; a page is not told why one was not opened.
  #converse(url, recovering, signal) {
    return new Promise((resolve) => {
      let socket;
      try {
        socket = new WebSocket(url, SUBPROTOCOL);
      } catch {
        resolve({ heard: false, sent: false }); // no URL of a WebSocket, or one that this page may not use
        return;
      }
      const attempt = new AbortController(); // until the WebSocket is over
      let heard = false;
      let timer = 0;
      const on = (event, act) => socket.addEventListener(event, act, { signal: attempt.signal });
      const over = (code) => {
        clearTimeout(timer);
        attempt.abort();
        this.#socket = null;
        this.#ready = false;
        this.#probe = () => {};
        resolve({ heard, code, sent: true });
      };
      const hangUp = (code) => {
        socket.close(code); // the close event may take minutes on a dead network
        over(code);
      };
      const giveUp = () => hangUp(NO_ANSWER);
      const probe = () => {
        clearTimeout(timer);
        this.#write({ type: "ping" });
        timer = setTimeout(giveUp, PATIENCE);
      };
      timer = setTimeout(giveUp, recovering ? PATIENCE : OPENING);
      on("open", () => {
        if (!recovering) return; // "connected" comes first
        // Taking up a connection has succeeded when the socket opens, unless it
        // is closed with 1008 at once: hence the ping. The service may or may
        // not send "connected" again.
        this.#resume();
        probe();
      });
      on("message", ({ data }) => {
        clearTimeout(timer);
        timer = setTimeout(probe, SILENCE);
        const frame = JSON.parse(data);
        if (!heard) {
          heard = true;
          this.#probe = probe;
          this.#greeted(frame, url, recovering);
        }
        this.#receive(frame);
      });
      on("close", ({ code }) => over(code));
      signal.addEventListener("abort", () => hangUp(NORMAL), { signal: attempt.signal });
      this.#socket = socket;
    });
  }

  // The first frame of a WebSocket: we are connected.
  #greeted(frame, url, recovering) {
    if (!recovering) {
      this.#connection = { id: frame.connectionId, token: frame.reconnectionToken, url };
      clearTimeout(this.#ackTimer);
      this.#ackTimer = this.#unacknowledged = this.#lastSequenceId = 0;
      this.#farewell = "";
      this.#startOver();
    }
    this.#emit("state", { state: "connected", connectionId: this.#connection.id, recovered: recovering });
  }

  #receive(frame) {
    switch (frame.type) {
      case "system":
        if (frame.event === "connected" && frame.reconnectionToken) this.#connection.token = frame.reconnectionToken;
        if (frame.event === "disconnected") this.#farewell = frame.message ?? "";
        break;
      case "ack":
        this.#acknowledged(frame);
        break;
      case "message": {
        const known = frame.sequenceId <= this.#lastSequenceId; // sent again, as our sequenceAck got lost
        if (!known) this.#lastSequenceId = frame.sequenceId;
        this.#acknowledge();
        if (!known) this.#emit("data", { from: frame.from, group: frame.group, data: frame.data });
        break;
      }
    }
  }

  // Tells the service soon what we have.
  #acknowledge() {
    const tell = () => {
      clearTimeout(this.#ackTimer);
      this.#ackTimer = this.#unacknowledged = 0;
      this.#write({ type: "sequenceAck", sequenceId: this.#lastSequenceId });
    };
    if (++this.#unacknowledged >= ACK_AT_ONCE) tell();
    else this.#ackTimer ||= setTimeout(tell, ACK_PAUSE);
  }

  #request(frame) {
    if (this.#requests.size >= MAX_REQUESTS) {
      return Promise.reject(new RequestError({ name: "Busy", message: "Too many requests wait for the service." }));
    }
    return new Promise((resolve, reject) => {
      const ackId = ++this.#lastAckId;
      this.#requests.set(ackId, { frame, resolve, reject });
      if (this.#ready) this.#write({ ...frame, ackId });
    });
  }

  #acknowledged({ ackId, success, error }) {
    const request = this.#requests.get(ackId);
    if (!request) return;
    this.#requests.delete(ackId);
    // Duplicate: it was carried out, and its ack got lost.
    if (success || error?.name === "Duplicate") return request.resolve();
    if (request.frame.type === "joinGroup") this.#groups.delete(request.frame.group);
    request.reject(new RequestError(error));
  }

  // The same connection: the same requests once more, with their numbers.
  #resume() {
    this.#ready = true;
    for (const [ackId, { frame }] of this.#requests) this.#write({ ...frame, ackId });
  }

  // A new connection: it is in no group, and knows no request. Whatever waited
  // for an ack may have been carried out, so events must bear being repeated.
  #startOver() {
    const waiting = [...this.#requests.values()];
    const asked = new Set(waiting.map(({ frame }) => frame.group));
    this.#requests.clear();
    this.#lastAckId = 0;
    for (const group of this.#groups) {
      if (!asked.has(group)) this.#request({ type: "joinGroup", group }).catch(() => {});
    }
    for (const request of waiting) this.#requests.set(++this.#lastAckId, request);
    this.#resume();
  }

  #write(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #end(reason, message) {
    this.#life.abort();
    this.#life = this.#connection = null;
    this.#wake();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const request of requests) request.reject(new RequestError({ name: "Ended", message }));
    this.#emit("state", { state: "ended", reason, message });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// The URL of the connection that was lost. The access token in it may have
// expired meanwhile; the reconnection token is what counts.
function recoveryURL({ id, token, url }) {
  const recovery = new URL(url);
  recovery.searchParams.set("awps_connection_id", id);
  recovery.searchParams.set("awps_reconnection_token", token);
  return recovery.href;
}
