// What the chat knows: rooms, people, messages. Nothing here touches the page
// or the network; the time is an argument.

const MAX_MESSAGES = 300; // of a room
const MAX_WAITING = 100; // own messages of a room that are not confirmed
const TYPING = 4000; // milliseconds that "is writing" is believed

/**
 * @typedef {object} Message
 * @property {string} id    made by the page of its author, and never twice
 * @property {string} room
 * @property {number} number  its place in the room, given by the server
 * @property {number} era     what a new connection brings comes after all we have:
 *   a server that was started again numbers from 1 again
 * @property {string} from  connection id of its author
 * @property {string} name  of its author, when it was written
 * @property {string} text
 * @property {number} time  in milliseconds
 * @property {boolean} mine
 * @property {boolean} gap  the room had more between this and the one before
 * @property {"sent"|"sending"|"failed"} state
 * @property {string} reason  why it failed
 */

/** A room that we are in. */
class Room {
  /** @type {Message[]} */ sent = []; // in order
  /** @type {Message[]} */ waiting = []; // ours that the room has not seen
  /** @type {Map<string, string>} */ people = new Map(); // connection id → name
  /** @type {Map<string, {name: string, until: number}>} */ typing = new Map();
  unread = 0;
  era = 0; // counts our connections
  #byId = new Map();

  constructor(name) {
    this.name = name;
  }

  get messages() {
    return [...this.sent, ...this.waiting];
  }

  has(id) {
    return this.#byId.has(id);
  }

  // Puts a message at its place and returns whether it is a new one. It may
  // have come before, or be one of ours that was waiting.
  add(message) {
    if (this.#byId.has(message.id)) return false;
    this.waiting = this.waiting.filter(({ id }) => id !== message.id);
    let at = this.sent.length;
    while (at > 0 && follows(this.sent[at - 1], message)) at--;
    this.sent.splice(at, 0, message);
    this.#byId.set(message.id, message);
    if (this.sent.length > MAX_MESSAGES) this.#byId.delete(this.sent.shift().id);
    return true;
  }
}

const follows = (a, b) => (a.era - b.era || a.number - b.number) > 0;

/** The chat as one person sees it. */
export class Chat {
  me = { id: "", name: "" };
  /** @type {Map<string, Room>} */ rooms = new Map();
  current = ""; // the room that is shown
  known = []; // {name, people} of all rooms, when we last asked
  #attentive = true;
  #mine = new Set(); // connection ids that were ours
  #changed;
  #notice;

  /**
   * @param {(part: "me"|"rooms"|"people"|"messages"|"typing"|"known") => void} changed
   * @param {(text: string) => void} notice  somebody came or went where we are
   */
  constructor(changed = () => {}, notice = () => {}) {
    this.#changed = changed;
    this.#notice = notice;
  }

  get room() {
    return this.rooms.get(this.current);
  }

  get unread() {
    return [...this.rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  }

  get mine() {
    return [...this.#mine];
  }

  /** Connection ids of former visits, by which own messages are known. */
  remember(ids) {
    for (const id of ids) this.#mine.add(id);
  }

  /** We have a connection: a new one, or the same as before. */
  identify(id) {
    if (id === this.me.id) return;
    this.me = { ...this.me, id };
    this.#mine.add(id);
    for (const room of this.rooms.values()) room.era++;
    this.#changed("me");
    this.#changed("people");
  }

  rename(name) {
    this.me = { ...this.me, name };
    this.#changed("me");
  }

  enter(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, new Room(name));
    this.show(name);
  }

  show(name) {
    this.current = name;
    if (this.#attentive && this.room) this.room.unread = 0;
    this.#all();
  }

  leave(name) {
    this.rooms.delete(name);
    if (this.current === name) this.current = [...this.rooms.keys()].at(-1) ?? "";
    this.show(this.current);
  }

  /** Whether the person looks at the page. Who does, has read what is shown. */
  attend(attentive) {
    this.#attentive = attentive;
    if (attentive && this.room) this.room.unread = 0;
    this.#changed("rooms");
  }

  /** A message of ours, shown before it is sent; null when too many wait. */
  compose(id, text, time) {
    const room = this.room;
    if (!room || room.waiting.length >= MAX_WAITING) return null;
    const message = this.#message(room, { id, text, time, from: this.me.id, name: this.me.name });
    message.state = "sending";
    room.waiting.push(message);
    this.#changed("messages");
    return message;
  }

  // What became of a message that waits. The server took it, and it may never
  // come back from the room if we have left that meanwhile.
  confirm(message) {
    this.#settle(message, { state: "sent" });
  }

  fail(message, reason) {
    this.#settle(message, { state: "failed", reason });
  }

  again(message) {
    this.#settle(message, { state: "sending", reason: "" });
  }

  drop(message) {
    const room = this.rooms.get(message.room);
    if (!room) return;
    room.waiting = room.waiting.filter(({ id }) => id !== message.id);
    this.#changed("messages");
  }

  /** Names of those who write in the room that is shown. */
  typists(now) {
    const room = this.room;
    if (!room) return [];
    for (const [id, { until }] of room.typing) if (until <= now) room.typing.delete(id);
    return [...room.typing.values()].map(({ name }) => name);
  }

  /** Takes the data of a protocol message. What is none of ours has no effect. */
  receive(data, now) {
    if (data?.kind === "rooms" && Array.isArray(data.rooms)) {
      this.known = data.rooms;
      this.#changed("known");
      return;
    }
    const room = this.rooms.get(data?.room);
    if (!room) return;
    switch (data.kind) {
      case "room":
        return this.#snapshot(room, data);
      case "message":
        return this.#said(room, data);
      case "typing":
        if (data.id === this.me.id) return;
        room.typing.set(data.id, { name: data.name, until: now + TYPING });
        return this.#changed("typing");
      case "joined":
        if (data.id !== this.me.id && !room.people.has(data.id)) this.#tell(room, `${data.name} is here`);
        room.people.set(data.id, data.name);
        return this.#changed("people");
      case "left":
        if (room.people.has(data.id)) this.#tell(room, `${room.people.get(data.id)} left`);
        room.people.delete(data.id);
        room.typing.delete(data.id);
        this.#changed("typing");
        return this.#changed("people");
      case "renamed":
        if (data.id === this.me.id) this.rename(data.name);
        if (room.people.has(data.id)) this.#tell(room, `${room.people.get(data.id)} is now ${data.name}`);
        room.people.set(data.id, data.name);
        return this.#changed("people");
    }
  }

  // The truth about a room, for a newcomer: also for us, on a new connection.
  #snapshot(room, data) {
    const people = data.people ?? [];
    const messages = data.messages ?? [];
    room.people = new Map(people.map(({ id, name }) => [id, name]));
    room.typing.clear();
    // It has the last messages only, and we may have been away for long. A
    // server that was started again counts from 1, and nothing is known of it.
    const last = room.sent.findLast(({ era }) => era < room.era);
    messages.forEach((data, i) => {
      const message = this.#message(room, data);
      message.gap = i === 0 && last !== undefined && message.number > last.number + 1;
      room.add(message);
    });
    this.#all();
  }

  #said(room, data) {
    room.typing.delete(data.from);
    const message = this.#message(room, data);
    if (room.add(message) && !message.mine && !(this.#attentive && room === this.room)) {
      room.unread++;
      this.#changed("rooms");
    }
    this.#changed("typing");
    this.#changed("messages");
  }

  #message(room, { id, number = 0, from, name, text, time }) {
    return {
      id, number, from, text,
      name: name || "somebody",
      room: room.name,
      era: room.era,
      time: new Date(time).getTime() || 0,
      mine: this.#mine.has(from),
      gap: false,
      state: "sent",
      reason: "",
    };
  }

  #settle({ room, id }, change) {
    const message = this.rooms.get(room)?.waiting.find((m) => m.id === id);
    if (!message) return; // it has come back from the room
    Object.assign(message, change);
    this.#changed("messages");
  }

  #tell(room, text) {
    if (room === this.room) this.#notice(text);
  }

  #all() {
    for (const part of ["rooms", "people", "messages", "typing"]) this.#changed(part);
  }
}
