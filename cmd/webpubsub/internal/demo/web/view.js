// The chat on the page: everything around the messages.
import { el, setText } from "/inspector/dom.js";
import { count } from "/inspector/format.js";
import { ask } from "./dialog.js";
import { $, colour } from "./dom.js";

const MAX_PEOPLE = 50; // named on the page; a crowd is counted
const LINES = 8; // that the composer grows to
const FEW = 200; // characters left, which are counted

/**
 * @typedef {object} Actions  what a person can do
 * @property {(name: string) => void} begin
 * @property {(name: string) => Promise<void>} rename
 * @property {(text: string) => boolean} say  false: it was not taken
 * @property {() => void} typing
 * @property {(room: string) => void} enter
 * @property {(room: string) => void} leave
 * @property {() => void} askRooms
 * @property {() => void} cut
 * @property {() => void} connect
 */

export class View {
  #chat;
  #drafts = new Map(); // room → text
  #room = "";
  #typingTimer = 0;
  #notices = [];

  /**
   * @param {import("./chat.js").Chat} chat
   * @param {Actions} actions
   */
  constructor(chat, actions) {
    this.#chat = chat;
    $("name-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = $("name").value.trim();
      if (name) actions.begin(name);
    });
    this.#composer(actions);
    $("cut").addEventListener("click", actions.cut);
    $("connect").addEventListener("click", () => {
      actions.connect();
      $("compose").focus();
    });
    $("leave-room").addEventListener("click", () => {
      actions.leave(chat.current);
      (chat.room ? $("compose") : $("join-room")).focus();
    });
    ask($("rename-dialog"), $("rename"), {
      open: () => ($("new-name").value = chat.me.name),
      submit: () => actions.rename($("new-name").value.trim()),
    });
    const room = ask($("room-dialog"), $("join-room"), {
      open: actions.askRooms,
      submit: async () => {
        const name = $("room-name").value.trim();
        if (name.includes("/") || name === "." || name === "..") throw new Error("The name of a room has no slash, and is no dot.");
        actions.enter(name);
      },
      done: () => $("compose").focus(),
    });
    $("known-rooms").addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      $("room-name").value = button.value;
      room.submit();
    });
    $("rooms").addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) chat.show(button.value);
    });
  }

  /** What to type in a terminal. @param {{trigger: string, dev: string}} commands */
  showCommands({ trigger, dev }) {
    setText($("trigger"), trigger);
    setText($("dev"), dev);
  }

  /** The form for a name, with what was wrong with the last one. */
  showForm(name, error = "") {
    $("name-form").hidden = false;
    $("conversation").hidden = true;
    $("name").value = name;
    setText($("name-error"), error);
    $("name").focus();
    $("name").select();
  }

  showChat() {
    $("name-form").hidden = true;
    $("conversation").hidden = false;
    $("compose").focus();
  }

  /**
   * The state of the connection, in a word and a few more.
   * @param {"connecting"|"connected"|"reconnecting"|"ended"} state
   */
  status(state, detail = "") {
    $("conversation").dataset.state = state;
    setText($("status"), state);
    setText($("detail"), detail);
    $("cut").hidden = state === "ended";
    $("cut").disabled = state !== "connected";
    $("connect").hidden = state !== "ended";
  }

  /** Says something to those who do not see the page, several things at once. */
  announce(text) {
    this.#notices.push(text);
    if (this.#notices.length > 1) return;
    setTimeout(() => {
      const notices = this.#notices;
      this.#notices = [];
      setText($("announcer"), notices.length > 3 ? count(notices.length, "change") + " among the people here" : notices.join(", "));
    }, 1500);
  }

  /** @param {Set<string>} parts  that changed */
  draw(parts) {
    if (parts.has("me")) setText($("me"), this.#chat.me.name);
    if (parts.has("rooms")) this.#drawRooms();
    if (parts.has("people")) this.#drawPeople();
    if (parts.has("known")) this.#drawKnown();
    if (parts.has("typing")) this.#drawTyping();
  }

  #composer(actions) {
    const text = $("compose");
    const send = () => {
      const message = text.value.replace(/^\n+|\s+$/g, "");
      if (message === "" || !actions.say(message)) return;
      text.value = "";
      this.#fit();
    };
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      send();
      text.focus();
    });
    // The line break, and not the key: Enter may also end the composition of a
    // character, and the keyboards of phones do not tell their keys.
    let shift = false;
    text.addEventListener("keydown", (event) => (shift = event.shiftKey));
    text.addEventListener("beforeinput", (event) => {
      if (event.inputType !== "insertLineBreak" || shift) return;
      event.preventDefault();
      send();
    });
    text.addEventListener("input", () => {
      this.#fit();
      if (text.value.trim() !== "") actions.typing();
    });
  }

  // The composer is as high as its text, up to a point.
  #fit() {
    const text = $("compose");
    const left = text.maxLength - text.value.length;
    setText($("left"), left > FEW ? "" : `${count(left, "character")} left`);
    text.rows = 1;
    if (text.value === "") return;
    text.rows = Math.min(LINES, text.value.split("\n").length);
    while (text.rows < LINES && text.scrollHeight > text.clientHeight) text.rows++;
  }

  #drawRooms() {
    const { rooms, current } = this.#chat;
    const list = $("rooms");
    const buttons = new Map([...list.querySelectorAll("button")].map((button) => [button.value, button]));
    for (const [name, button] of buttons) if (!rooms.has(name)) button.parentElement.remove();
    for (const room of rooms.values()) {
      const button = buttons.get(room.name) ?? this.#addRoom(room.name);
      if (room.name === current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      const [, badge, words] = button.children;
      badge.hidden = room.unread === 0;
      setText(badge, room.unread > 99 ? "99+" : String(room.unread));
      setText(words, room.unread > 0 ? " unread" : "");
    }
    if (current !== this.#room) this.#switch(current);
  }

  #addRoom(name) {
    const badge = el("span", { className: "badge" });
    const button = el(
      "button",
      { type: "button", value: name, title: name },
      el("span", { className: "name" }, name),
      badge,
      el("span", { className: "visually-hidden" }),
    );
    $("rooms").append(el("li", {}, button));
    return button;
  }

  // Another room, another draft.
  #switch(room) {
    const text = $("compose");
    this.#drafts.set(this.#room, text.value);
    text.value = this.#drafts.get(room) ?? "";
    if (!this.#chat.rooms.has(this.#room)) this.#drafts.delete(this.#room);
    this.#room = room;
    this.#fit();
    text.disabled = $("send").disabled = room === "";
    text.placeholder = room === "" ? "" : `Message to ${room}`;
    $("leave-room").hidden = room === "";
    setText($("room-title"), room === "" ? "No room" : `Room ${room}`);
    setText($("empty"), room === "" ? "You are in no room: join one." : "Nothing was said here yet.");
    $("rooms").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #drawPeople() {
    const { room, me } = this.#chat;
    const people = [...(room?.people ?? [])].sort(([a, x], [b, y]) => (b === me.id) - (a === me.id) || x.localeCompare(y));
    setText($("here"), room ? `${people.length} here` : "");
    const items = people.slice(0, MAX_PEOPLE).map(([id, name]) => {
      const item = el("li", {}, el("b", {}, name), id === me.id ? " (you)" : "");
      colour(item, name);
      return item;
    });
    if (people.length > MAX_PEOPLE) items.push(el("li", {}, `and ${people.length - MAX_PEOPLE} more`));
    $("people").replaceChildren(...items);
  }

  #drawKnown() {
    const rooms = this.#chat.known.filter(({ name }) => !this.#chat.rooms.has(name));
    $("known-rooms").replaceChildren(
      ...rooms.map(({ name, people }) => {
        const who = el("span", { className: "muted" }, count(people, "person", "people"));
        return el("li", {}, el("button", { type: "button", value: name }, el("span", { className: "name" }, name), " ", who));
      }),
    );
  }

  #drawTyping() {
    const names = this.#chat.typists(Date.now());
    const who = names.length > 2 ? "Several people" : names.join(" and ");
    setText($("typing"), names.length === 0 ? "" : `${who} ${names.length === 1 ? "is" : "are"} writing…`);
    clearTimeout(this.#typingTimer);
    if (names.length > 0) this.#typingTimer = setTimeout(() => this.#drawTyping(), 1000);
  }
}
