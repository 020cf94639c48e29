// The page of the demo: brings together the person, the chat and the service.
import { el, setText } from "/inspector/dom.js";
import { mountInspector } from "/inspector/panel.js";
import { Chat } from "./chat.js";
import { $, drawing } from "./dom.js";
import { MessageList } from "./messages.js";
import { suggestion } from "./names.js";
import { ReliableClient } from "./reliable.js";
import { tabs } from "./tabs.js";
import { View } from "./view.js";

const LOBBY = "lobby";
const TITLE = document.title;
const TYPING_PAUSE = 3000; // between two notes that we are writing
const GOOD_NEWS = 8000; // how long a recovery is mentioned

const redraw = drawing((parts) => {
  view.draw(parts);
  if (parts.has("messages")) list.draw(chat.room);
});

const chat = new Chat(
  (part) => {
    redraw(part);
    if (part === "rooms" || part === "messages") {
      setText(document.querySelector("title"), chat.unread > 0 ? `(${chat.unread}) ${TITLE}` : TITLE);
    }
  },
  (text) => view.announce(text),
);

const client = new ReliableClient(async () => {
  const answer = await fetch("/negotiate", { method: "POST", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`negotiate: ${answer.status}`);
  // We may know the service by another address than it does: that of the
  // machine in its network, or of a proxy that speaks TLS.
  const { pathname, search } = new URL((await answer.json()).url);
  const url = new URL(pathname + search, location.origin);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("name", chat.me.name);
  return url.href;
});

// What a tab remembers: each is a person of its own.
const visit = {
  load() {
    return JSON.parse(sessionStorage.getItem("visit") ?? "null");
  },
  save() {
    const { me, current, mine } = chat;
    const rooms = [...chat.rooms.keys()];
    sessionStorage.setItem("visit", JSON.stringify({ name: me.name, rooms, current, mine: mine.slice(-20) }));
  },
};

// Joins the chat with a name; rooms are those of the visit before.
function begin(name, rooms = [LOBBY], current = LOBBY) {
  chat.rename(name);
  client.start();
  for (const room of rooms) enter(room);
  chat.show(chat.rooms.has(current) ? current : chat.current);
  view.showChat();
}

async function enter(room) {
  const known = chat.rooms.has(room);
  chat.enter(room);
  visit.save();
  if (known) return;
  try {
    await client.join(room);
  } catch (error) {
    if (error.name === "Ended") return; // joined with the next connection
    view.announce(`You may not join ${room}.`);
    leave(room);
  }
}

function leave(room) {
  chat.leave(room);
  visit.save();
  client.leave(room).catch(() => {});
}

// The ack of an event that failed says little: the reason is the server's own.
const why = ({ name, message }) => (name === "InternalServerError" ? "Not accepted: the event tells why." : message);

// Sends a message that is on the page already.
async function deliver(message) {
  const { room, id, text } = message;
  try {
    await client.event("say", { room, id, text });
    chat.confirm(message);
  } catch (error) {
    chat.fail(message, why(error));
  }
}

// An id that nobody else makes. crypto.randomUUID is not there on pages that
// come from another machine without TLS.
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

let typed = 0; // when we last told that we are writing
let telling = 0; // a timer that will tell it

const view = new View(chat, {
  begin,
  async rename(name) {
    await client.event("rename", { name }).catch((error) => Promise.reject(new Error(why(error))));
    chat.rename(name);
    visit.save();
  },
  say(text) {
    const message = chat.compose(newId(), text, Date.now());
    if (!message) return false;
    clearTimeout(telling);
    telling = 0;
    deliver(message);
    list.follow();
    return true;
  },
  typing() {
    telling ||= setTimeout(() => {
      telling = 0;
      if ($("compose").value.trim() === "") return;
      typed = Date.now();
      client.hint("typing", { room: chat.current });
    }, typed + TYPING_PAUSE - Date.now());
  },
  enter,
  leave,
  askRooms: () => client.event("rooms", {}).catch(() => {}),
  cut() {
    fetch(`/inspector/connections/chat/${encodeURIComponent(chat.me.id)}/cut`, { method: "POST" }).catch(() => client.check());
  },
  connect: () => client.start(),
});

const list = new MessageList({
  again(message) {
    chat.again(message);
    deliver(message);
    $("compose").focus();
  },
  drop(message) {
    chat.drop(message);
    $("compose").focus();
  },
});

client.addEventListener("data", ({ detail }) => chat.receive(detail.data, Date.now()));

const panel = mountInspector($("panel"), {
  title: "Upstream events",
  intro: [
    "Your browser holds a WebSocket to the Web PubSub service. Whenever something happens on it, the service tells the app",
    " behind this chat, its event handler, by an HTTP request: an ", el("em", {}, "upstream event"), ". Open one to see what was",
    " sent, what came back, and what it led to.",
  ],
  nothingYet: "Say something in the chat: each message becomes a request to the app behind it, shown here.",
  hidden: ["typing"], // or it would be every other one
});
let lostAt = 0;
let newsTimer = 0;

client.addEventListener("state", ({ detail }) => {
  const { state, failures, connectionId, recovered, reason, message } = detail;
  clearTimeout(newsTimer);
  switch (state) {
    case "connected": {
      chat.identify(connectionId);
      panel.setOwnConnection(connectionId);
      visit.save();
      if (lostAt === 0) return view.status(state);
      const seconds = ((Date.now() - lostAt) / 1000).toFixed(1);
      view.status(state, recovered ? `Back again after ${seconds} s: nothing is lost.` : "Back again, on a new connection.");
      newsTimer = setTimeout(() => view.status(state), GOOD_NEWS);
      lostAt = 0;
      return;
    }
    case "reconnecting":
      lostAt ||= Date.now();
      return view.status(state, failures > 1 ? "The service does not answer. What you write is sent when it does." : "");
    case "connecting":
      return view.status(state, failures > 0 ? "The service does not answer." : "");
    case "ended":
      lostAt = 0;
      if (reason === "refused") return view.showForm(chat.me.name, `${message} See its connect event.`);
      return view.status(state, message);
  }
});

addEventListener("online", () => client.check());
addEventListener("offline", () => client.check());
document.addEventListener("visibilitychange", () => {
  chat.attend(!document.hidden);
  if (!document.hidden) client.check();
});
// Who closes the tab leaves at once, instead of when the service gives up
// waiting. A page that the browser kept meanwhile comes back as a new one.
addEventListener("pagehide", () => client.stop());
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

tabs($("tabs"), matchMedia("(width < 1000px)"));
fetch("/commands").then((answer) => answer.json()).then((commands) => view.showCommands(commands), () => {});

const before = visit.load();
if (before) {
  chat.remember(before.mine);
  begin(before.name, before.rooms, before.current);
} else {
  view.showForm(suggestion());
}
