// The messages of a room on the page. What is there stays there: a message that
// changes keeps its element, so nothing flickers and no selection gets lost.
import { el, setText } from "/inspector/dom.js";
import { count } from "/inspector/format.js";
import { $, colour } from "./dom.js";

const PAUSE = 5 * 60_000; // after that, a message begins with its author again
const NEAR = 60; // pixels from the end that count as "at the end"

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The log of messages, with the button for what is new below. */
export class MessageList {
  #log = $("log"); // scrolls
  #list = $("messages");
  #newer = $("newer");
  #actions;
  #room = null;
  #rows = new Map(); // id of a message → its Row
  #atEnd = true;
  #unseen = 0;
  #quiet = 0; // timer

  /** @param {{again: (m: object) => void, drop: (m: object) => void}} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#newer.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.#log);
  }

  /** @param {object | undefined} room */
  draw(room) {
    const another = room !== this.#room;
    if (another) this.#clear(room);
    const messages = room?.messages ?? [];
    const ids = new Set(messages.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      for (const item of row.items) item.remove();
      this.#rows.delete(id);
    }
    let before = null;
    let at = this.#list.firstElementChild;
    for (const message of messages) {
      const row = this.#rows.get(message.id) ?? this.#add(message, another);
      row.draw(message, before);
      for (const item of row.items) {
        if (item === at) at = at.nextElementSibling;
        else this.#list.insertBefore(item, at);
      }
      before = message;
    }
    $("empty").hidden = messages.length > 0;
    if (this.#atEnd) this.toEnd();
    this.#drawNewer();
  }

  /** The next message is to be seen, wherever the reader is. */
  follow() {
    this.#atEnd = true;
  }

  toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#atEnd = true;
    this.#unseen = 0;
    this.#drawNewer();
  }

  // Another room is no news: nobody wants its whole past read aloud.
  #clear(room) {
    this.#room = room;
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#atEnd = true;
    this.#unseen = 0;
    this.#log.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#log.setAttribute("aria-live", "polite"), 500);
  }

  #add(message, known) {
    const row = new Row(message, this.#actions);
    this.#rows.set(message.id, row);
    if (!known && !message.mine) this.#unseen++;
    return row;
  }

  #scrolled() {
    this.#atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR;
    if (this.#atEnd) this.#unseen = 0;
    this.#drawNewer();
  }

  #drawNewer() {
    this.#newer.hidden = this.#atEnd || this.#unseen === 0;
    setText(this.#newer, count(this.#unseen, "new message"));
  }
}

/** One message. */
class Row {
  #name = el("b");
  #time = el("time");
  #who = el("p", { className: "who" }, this.#name, " ", this.#time);
  #mark = el("span", { className: "mark" });
  #written = -1;
  #failure = null;
  #actions;

  constructor(message, actions) {
    this.#actions = actions;
    const text = el("p", { className: "text" }, message.text);
    this.item = el("li", { "data-id": message.id }, this.#who, el("div", { className: "line" }, text, this.#mark));
    this.items = [this.item];
    if (message.gap) this.items.unshift(el("li", { className: "gap" }, "Some messages are missing here."));
    this.item.classList.toggle("mine", message.mine);
    colour(this.#name, message.name);
    setText(this.#name, message.mine ? `${message.name} (you)` : message.name);
  }

  draw(message, before) {
    const grouped =
      !message.gap && before?.from === message.from && before.name === message.name && message.time - before.time < PAUSE;
    this.item.classList.toggle("grouped", grouped);
    this.#who.classList.toggle("visually-hidden", grouped);
    if (this.#written !== message.time) {
      this.#written = message.time;
      this.#time.dateTime = new Date(message.time).toISOString();
      this.#time.title = full.format(message.time);
      setText(this.#time, clock.format(message.time));
    }
    if (this.item.dataset.state === message.state) return;
    this.item.dataset.state = message.state;
    setText(this.#mark, message.state === "sending" ? "sending…" : "");
    this.#failure?.remove();
    this.#failure = message.state === "failed" ? this.#explain(message) : null;
    if (this.#failure) this.item.append(this.#failure);
  }

  #explain(message) {
    const again = el("button", { type: "button" }, "Try again");
    const drop = el("button", { type: "button" }, "Drop");
    again.addEventListener("click", () => this.#actions.again(message));
    drop.addEventListener("click", () => this.#actions.drop(message));
    return el("div", { className: "failure" }, el("p", {}, message.reason), again, drop);
  }
}
