// @ts-check
// What happened, in plain sentences, for somebody who has never heard of any of
// it: what kind of request this is, and what the answer decided.

import { count } from "./format.js";
import { isQuestion, outcome } from "./store.js";

/** @typedef {import("./stream.js").Summary} Summary */
/** @typedef {import("./body.js").Body} Body */
/** @typedef {{request?: {body?: Body}, answer?: {body?: Body}, calls?: {summary: Summary}[]}} Known what the details tell */

/**
 * Explains an entry; with its details, the sentences name groups and users.
 *
 * @param {Summary} entry
 * @param {Known} [detail]
 */
export function explain(entry, detail) {
  if (entry.kind === "call") return explainCall(entry);
  const end = outcome(entry);
  const sentences = [];
  if (entry.again) {
    sentences.push(`This is an earlier “${entry.event}” event, sent once more by hand: unchanged, with the same event id.`,
      "The answer goes to nobody; it shows whether the handler notices that it has seen the event before.");
  } else {
    sentences.push(about(entry, detail));
  }
  if (end === "pending") {
    sentences.push("The answer is not there yet.");
  } else if (!entry.again) {
    sentences.push(decided(entry, end, detail));
  }
  sentences.push(ledTo(detail?.calls ?? []));
  return sentences.filter(Boolean).join(" ");
}

/** @param {Summary} entry @param {Known} [detail] */
function about(entry, detail) {
  const who = entry.userId || "a client";
  const sent = /** @type {any} */ (read(detail?.request?.body));
  const group = typeof sent?.group === "string" ? `the group “${sent.group}”` : "a group";
  if (entry.kind === "consent") {
    return "Before it sends events to an address, the service asks there whether they are wanted: nobody can aim it at somebody else’s server.";
  }
  if (!entry.system) {
    return `${capital(who)} sent the event “${entry.event}”. The service hands it to the handler and waits for the answer.`;
  }
  switch (entry.event) {
    case "connect":
      return "A client wants to connect. The service asks the handler whether to let it in, and as whom.";
    case "connected":
      return `The WebSocket of ${who} is open. This is a notice: nothing depends on the answer.`;
    case "disconnected":
      return `The connection of ${who} is gone for good${reason(sent)}. This is a notice: nothing can be sent to it any more.`;
    case "joined":
      return `The connection of ${who} is now in ${group}, and gets what is sent to it. This is a notice.`;
    case "left":
      return `The connection of ${who} is no longer in ${group}. This is a notice.`;
  }
  return `The service tells the handler about “${entry.event}”.`;
}

/** @param {Summary} entry @param {string} end @param {Known} [detail] */
function decided(entry, end, detail) {
  const tried = (entry.attempts ?? 1) > 1 ? ` in ${entry.attempts} attempts` : "";
  const got = entry.status ? `answered ${entry.status}` : "gave no answer";
  if (entry.kind === "consent") {
    return end === "ok"
      ? "The handler agreed, by naming the service in WebHook-Allowed-Origin."
      : `The handler ${got} and did not agree, so no events are sent there.`;
  }
  if (!isQuestion(entry)) {
    return end === "ok" ? "" : `The handler ${got}${tried}. No client notices, but the handler has missed it.`;
  }
  if (entry.event === "connect" && entry.system) {
    if (end === "ok") return `The handler let it in${terms(read(detail?.answer?.body))}.`;
    if (end === "refused") return `The handler refused this client: its connection fails with status ${entry.status}.`;
    return `The handler ${got}${tried}, so the client could not connect.`;
  }
  if (end === "ok") {
    if (!detail) return "";
    return detail.answer?.body?.size
      ? "The body of the answer went back to that client, as a message."
      : "The answer has no body: the client gets an acknowledgement, if it asked for one.";
  }
  const told = "the client gets a failed acknowledgement, or is disconnected if it speaks no subprotocol";
  return end === "refused"
    ? `The handler refused it with status ${entry.status}: ${told}.`
    : `The handler ${got}${tried}: ${told}.`;
}

/** @param {{summary: Summary}[]} calls */
function ledTo(calls) {
  if (calls.length !== 1) return calls.length ? `It led to ${count(calls.length, "call")}, below.` : "";
  const [{ summary }] = calls;
  const call = explainCall(summary);
  const how = summary.sure ? "It led to a call of the handler" : "While it was handled, there was a call";
  return `${how}, which ${call[0].toLowerCase()}${call.slice(1)}`;
}

/** What a connect answer says. @param {any} answer */
function terms(answer) {
  if (!answer || typeof answer !== "object") return " as it came";
  const parts = [];
  const list = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : []);
  if (answer.userId) parts.push(`as “${answer.userId}”`);
  if (list(answer.groups).length) parts.push(`in ${answer.groups.map((/** @type {string} */ g) => `“${g}”`).join(", ")}`);
  if (list(answer.roles).length) parts.push(`with ${count(answer.roles.length, "role")}`);
  if (answer.subprotocol) parts.push(`speaking ${answer.subprotocol}`);
  return parts.length ? ` ${parts.join(", ")}` : " as it came";
}

/** @param {any} sent */
function reason(sent) {
  return typeof sent?.reason === "string" && sent.reason ? ` (“${sent.reason}”)` : "";
}

/** @type {[method: string, path: RegExp, says: (...parts: string[]) => string][]} */
const CALLS = [
  ["POST", /^\/:send$/, () => "Sends a message to everybody in the hub"],
  ["POST", /^\/groups\/([^/]+)\/:send$/, (group) => `Sends a message to the group “${group}”`],
  ["POST", /^\/users\/([^/]+)\/:send$/, (user) => `Sends a message to all connections of ${user}`],
  ["POST", /^\/connections\/([^/]+)\/:send$/, (id) => `Sends a message to connection ${id}`],
  ["PUT", /^\/groups\/([^/]+)\/connections\/([^/]+)$/, (group, id) => `Adds connection ${id} to the group “${group}”`],
  ["DELETE", /^\/groups\/([^/]+)\/connections\/([^/]+)$/, (group, id) => `Removes connection ${id} from the group “${group}”`],
  ["GET", /^\/groups\/([^/]+)\/connections$/, (group) => `Asks who is in the group “${group}”`],
  ["PUT", /^\/users\/([^/]+)\/groups\/([^/]+)$/, (user, group) => `Adds ${user} to the group “${group}”`],
  ["DELETE", /^\/users\/([^/]+)\/groups\/([^/]+)$/, (user, group) => `Removes ${user} from the group “${group}”`],
  ["DELETE", /^\/users\/([^/]+)\/groups$/, (user) => `Removes ${user} from all groups`],
  ["DELETE", /^\/connections\/([^/]+)\/groups$/, (id) => `Removes connection ${id} from all groups`],
  ["DELETE", /^\/connections\/([^/]+)$/, (id) => `Closes connection ${id}`],
  ["POST", /^(?:\/(?:groups|users)\/[^/]+)?\/:closeConnections$/, () => "Closes connections"],
  ["POST", /^\/:addToGroups$/, () => "Adds the connections that match a filter to groups"],
  ["POST", /^\/:removeFromGroups$/, () => "Removes the connections that match a filter from groups"],
  ["POST", /^\/:generateToken$/, () => "Makes a token for a client"],
  ["HEAD", /^\/(connection|group|user)s\/([^/]+)$/, (kind, name) => `Asks whether there is a ${kind} “${name}”`],
  ["PUT", /^\/permissions\/([^/]+)\//, (name) => `Grants the permission ${name}`],
  ["DELETE", /^\/permissions\/([^/]+)\//, (name) => `Takes away the permission ${name}`],
  ["HEAD", /^\/permissions\/([^/]+)\//, (name) => `Asks about the permission ${name}`],
];

/** What a call of the REST API does, and how many clients it was about. @param {Summary} call */
export function explainCall(call) {
  const path = (call.url ?? "").replace(/^https?:\/\/[^/]+/, "").replace(/\?.*$/, "").replace(/^\/api\/hubs\/[^/]+/, "");
  let what = "Uses the service’s REST API";
  for (const [method, pattern, says] of CALLS) {
    const match = method === call.method && path.match(pattern);
    if (match) {
      what = says(...match.slice(1).map(decoded));
      break;
    }
  }
  if (call.pending) return `${what}.`;
  if (outcome(call) === "failed") return `${what}: failed${call.status ? ` with status ${call.status}` : ""}.`;
  return call.recipients === undefined ? `${what}.` : `${what}: reached ${count(call.recipients, "client")}.`;
}

/** @type {Record<string, string>} by lower-case name */
const HEADERS = {
  "ce-type": "What happened. Handlers go by this.",
  "ce-eventname": "The short name of the event.",
  "ce-hub": "The hub that the connection belongs to.",
  "ce-connectionid": "The connection that it is about.",
  "ce-userid": "Who that is, as the handler said at connect.",
  "ce-subprotocol": "What client and service speak over the WebSocket.",
  "ce-connectionstate": "What the handler keeps with the connection. The service sends it with every event; an answer may replace it.",
  "ce-signature": "Proof that the service sent this: HMAC-SHA256 of the connection id with the access key. With two keys there are two.",
  "ce-id": "The number of the event, the same when it is sent again: this is how to recognise it.",
  "ce-source": "The connection, as CloudEvents name the origin of an event.",
  "ce-time": "When it happened.",
  "ce-specversion": "Each event is a CloudEvent of this version, in HTTP headers.",
  "ce-awpsversion": "The version of this protocol.",
  "webhook-request-origin": "The service that asks.",
  "webhook-allowed-origin": "The handler’s consent: the services that may send events; * is any.",
  "x-ms-client-request-id": "The id of this request. Calls that carry it too were made for this event.",
};

/** What a header means; nothing for those that every HTTP request has. @param {string} name */
export function explainHeader(name) {
  return HEADERS[name.toLowerCase()] ?? "";
}

/** @param {Body | undefined} body */
function read(body) {
  if (!body?.json || body.truncated) return undefined;
  try {
    return JSON.parse(body.text ?? "");
  } catch {
    return undefined;
  }
}

/** @param {string} part of a path */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} text */
const capital = (text) => (text === "a client" ? "A client" : text);
