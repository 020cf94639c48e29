// A WebSocket client that knows nothing of Web PubSub.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { Inbox, args, check, connect, done, everything, newService, text } from "./check.mjs";

const service = newService();
const observer = await connect(service, { userId: "observer", groups: ["notices"] });
const disconnected = async (userId) => {
  const { data } = await observer.group.next((m) => m.data.event === "disconnected" && m.data.userId === userId);
  return data.reason ?? "";
};

const json = "json.webpubsub.azure.v1";

// open returns an open WebSocket and an Inbox of all that comes out of it.
async function open({ protocols = [], query = "", options, hub = service, ...token } = {}) {
  const { url } = await hub.getClientAccessToken({ roles: everything, ...token });
  const ws = new WebSocket(url + query, protocols, options);
  const inbox = new Inbox();
  ws.on("message", (data, binary) => inbox.push(binary ? { binary: data } : { text: data.toString() }));
  ws.on("ping", (data) => inbox.push({ ping: data.toString() }));
  ws.on("pong", (data) => inbox.push({ pong: data.toString() }));
  ws.on("close", (code, reason) => inbox.push({ code, reason: reason.toString() }));
  ws.on("error", (err) => inbox.push({ error: err.message }));
  ws.on("open", () => inbox.push("open"));
  ws.on("unexpected-response", (req, res) => {
    let body = "";
    res.setEncoding("utf8").on("data", (s) => (body += s)).on("end", () => inbox.push({ status: res.statusCode, body }));
  });
  const first = await inbox.next();
  const client = { ws, first, next: (fn) => inbox.next(fn), closed: () => inbox.next((m) => m.code) };
  if (first === "open" && ws.protocol === json) client.connected = JSON.parse((await inbox.next()).text);
  return client;
}

await check("simple", async () => {
  const { ws, next, closed } = await open({ userId: "simple" });
  assert.equal(ws.protocol, "");
  ws.send("grüße");
  assert.deepEqual(await next(), { text: "grüße" });
  ws.send(Buffer.from([0, 255]));
  assert.deepEqual(await next(), { binary: Buffer.from([0, 255]) });
  ws.send("");
  ws.send(Buffer.alloc(0));
  await service.sendToUser("simple", { a: [1] });
  await service.sendToUser("simple", "text", { contentType: "text/plain" });
  await service.sendToUser("simple", Uint8Array.of(1, 2).buffer);
  assert.deepEqual(await next((m) => m.text?.startsWith("{")), { text: '{"a":[1]}' });
  assert.deepEqual(await next((m) => m.text), { text: "text" });
  assert.deepEqual(await next((m) => m.binary?.length), { binary: Buffer.from([1, 2]) });
  ws.close(1000, "bye");
  assert.deepEqual(await closed(), { code: 1000, reason: "bye" });
  await disconnected("simple");
});

await check("simple to a group", async () => {
  const query = "&webpubsub_mode=sendToGroup&group=room.a&noEcho=true";
  const { ws } = await open({ userId: "publisher", groups: ["room.a"], query });
  const other = await open({ groups: ["room.a"] });
  const member = await connect(service, { groups: ["room.a"] });
  ws.send("text");
  ws.send(Buffer.from("binary"));
  assert.deepEqual(await other.next(), { text: "text" });
  assert.deepEqual(await other.next(), { binary: Buffer.from("binary") });
  const m = await member.group.next();
  assert.deepEqual([m.group, m.fromUserId, m.dataType, m.data], ["room.a", "publisher", "text", "text"]);
  assert.equal(text((await member.group.next()).data), "binary");
  const powerless = await open({ query, roles: [] });
  powerless.ws.send("text");
  assert.equal((await powerless.closed()).code, 1008);
  for (const c of [ws, other.ws]) c.close();
  member.client.stop();
});

await check("JSON", async () => {
  const { ws, next, connected } = await open({ protocols: json, userId: "alice", groups: ["room.a"] });
  assert.deepEqual(Object.keys(connected), ["type", "event", "userId", "connectionId"]);
  const say = (m) => ws.send(JSON.stringify(m));
  say({ type: "ping" });
  assert.deepEqual(await next(), { text: '{"type":"pong"}' });
  say({ type: "sendToGroup", group: "room.a", dataType: "text", data: "hi", ackId: 1 });
  const group = { type: "message", from: "group", fromUserId: "alice", group: "room.a", dataType: "text", data: "hi" };
  assert.deepEqual(JSON.parse((await next((m) => /hi/.test(m.text))).text), group);
  assert.deepEqual(JSON.parse((await next()).text), { type: "ack", ackId: 1, success: true });
  await service.sendToUser("alice", "hi", { contentType: "text/plain" });
  assert.deepEqual(await next(), { text: '{"type":"message","from":"server","dataType":"text","data":"hi"}' });
  for (const type of ["setGroupState", "subscribeGroupState", "unsubscribeGroupState"]) {
    say({ type, group: "room.a", ackId: 9 });
    const { ackId, success, error } = JSON.parse((await next()).text);
    assert.deepEqual([ackId, success, error.name], [9, false, "BadRequest"]);
  }
  ws.send('{"type":"joinGroup","group":"room.b","ackId":18446744073709551615}');
  assert.match((await next()).text, /"ackId":18446744073709551615,"success":true/);
  await service.closeUserConnections("alice", { reason: "over" });
  const message = "Application server closed the connection. Reason: over";
  assert.deepEqual(await next(), { text: JSON.stringify({ type: "system", event: "disconnected", message }) });
  assert.deepEqual(await next(), { code: 1000, reason: "" });
  assert.equal(await disconnected("alice"), message);
});

await check("ping and pong", async () => {
  const hub = newService("pings"); // every second
  const silent = open({ hub, options: { autoPong: false } });
  const { ws, next } = await open({ hub, protocols: json });
  ws.ping("a".repeat(125));
  assert.deepEqual(await next((m) => m.pong), { pong: "a".repeat(125) });
  for (let i = 0; i < 2; i++) await next((m) => m.ping !== undefined);
  assert.deepEqual(await (await silent).closed(), { code: 1006, reason: "" });
  ws.send('{"type":"ping"}');
  assert.deepEqual(await next((m) => m.text), { text: '{"type":"pong"}' });
  ws.close();
});

await check("fragments", async () => {
  const { ws, next } = await open();
  ws.send("gr", { fin: false });
  ws.ping("between");
  ws.send("ü", { fin: false });
  ws.send("", { fin: false });
  ws.send("ße", { fin: true });
  assert.deepEqual(await next((m) => m.pong), { pong: "between" });
  assert.deepEqual(await next((m) => m.text), { text: "grüße" });
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
  for (let i = 0; i < bytes.length; i++) ws.send(bytes.subarray(i, i + 1), { binary: true, fin: i === bytes.length - 1 });
  assert.deepEqual(await next((m) => m.binary), { binary: bytes });
  ws.close();
});

await check("big messages", async () => {
  const { ws, next } = await open();
  const limit = 1 << 20;
  ws.send("ü".repeat(limit / 2));
  assert.equal((await next((m) => m.text)).text, "ü".repeat(limit / 2));
  ws.send(Buffer.alloc(limit, 7));
  assert.deepEqual((await next((m) => m.binary)).binary, Buffer.alloc(limit, 7));
  const half = Buffer.alloc(limit / 2, 1);
  ws.send(half, { fin: false });
  ws.send(half, { fin: true });
  assert.equal((await next((m) => m.binary)).binary.length, limit);
  ws.close();
});

// What ends a connection: [what, options, how, code, reason of the event].
const ends = [
  ["closed", {}, (ws) => ws.close(1000), 1000, /^$/],
  ["closed without a code", {}, (ws) => ws.close(), 1005, /^$/],
  ["closed with a code", {}, (ws) => ws.close(4321, "bye"), 4321, /4321/],
  ["closed without a code, JSON", { protocols: json }, (ws) => ws.close(), 1005, /^$/],
  ["cut", {}, (ws) => ws.terminate(), 1006, /lost/],
  ["too large", {}, (ws) => ws.send("x".repeat((1 << 20) + 1)), 1009, /too large/],
  ["too large in fragments", { protocols: json }, (ws) => {
    ws.send("x".repeat(1 << 20), { fin: false });
    ws.send("xx", { fin: true });
  }, 1009, /too large/],
  ["text that is not UTF-8", { protocols: json }, (ws) => ws.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false }), 1007, /./],
  ["not JSON", { protocols: json }, (ws) => ws.send("hello"), 1007, /./],
  ["of an unknown type", { protocols: json }, (ws) => ws.send('{"type":"shout"}'), 1007, /./],
  ["binary frame", { protocols: json }, (ws) => ws.send(Buffer.from("{}")), 1003, /./],
  ["not masked", {}, (ws) => ws.send("hello", { mask: false }), 1006, /./],
  ["continued from nothing", {}, (ws) => {
    ws._sender.sendFrame(ws._sender.constructor.frame(Buffer.from("x"), { opcode: 0, fin: true, mask: true, readOnly: true, rsv1: false }));
  }, 1002, /./],
];
for (const [what, options, end, code, reason] of ends) {
  await check(what, async () => {
    const { ws, closed } = await open({ userId: what, ...options });
    end(ws);
    assert.equal((await closed()).code, code);
    assert.match(await disconnected(what), reason);
  });
}

await check("refused", async () => {
  const base = (await service.getClientAccessToken()).baseUrl;
  const get = (url, headers) =>
    new Promise((resolve, reject) => {
      const ws = new WebSocket(url, json, { headers });
      ws.on("unexpected-response", (_, res) => { res.resume(); resolve(res.statusCode); });
      ws.on("open", () => { ws.close(); resolve(101); });
      ws.on("error", reject);
    });
  const { url, token } = await service.getClientAccessToken();
  const bearer = { Authorization: `Bearer ${token}` };
  const hub = (name) => base.replace(`/hubs/${args.hub}`, `/hubs/${name}`);
  const got = {
    "no token": await get(base),
    "bad token": await get(`${base}?access_token=x`),
    "token in a header": await get(base, bearer),
    "token in capitals": await get(url.replace("access_token", "Access_Token")),
    "another hub": await get(hub("other"), bearer),
    "the hub in the query": await get(base.replace(`hubs/${args.hub}`, `?hub=${args.hub}`), bearer),
    "bad hub": await get(hub("1"), bearer),
    "bad mode": await get(`${url}&webpubsub_mode=shout`),
    "no group": await get(`${url}&webpubsub_mode=sendToGroup`),
    "foreign page": await get(url, { Origin: "https://example.com" }),
    "page of this machine": await get(url, { Origin: "http://localhost:3000" }),
  };
  assert.deepEqual(got, {
    "no token": 401, "bad token": 401, "token in a header": 101, "token in capitals": 101, "another hub": 401,
    "the hub in the query": 101, "bad hub": 400, "bad mode": 400, "no group": 400,
    "foreign page": 403, "page of this machine": 101,
  });
  assert.deepEqual((await open({ query: "&do=refuse" })).first.status, 401);
});

await check("subprotocols", async () => {
  const several = await open({ protocols: ["unknown", json, "json.reliable.webpubsub.azure.v1"] });
  assert.equal(several.ws.protocol, json);
  const chosen = await open({ protocols: [json, "custom.of.mine"], query: "&do=everything" });
  assert.equal(chosen.ws.protocol, "custom.of.mine");
  chosen.ws.send("echo of a simple client");
  assert.deepEqual(await chosen.next(), { text: "echo of a simple client" });
  for (const c of [several, chosen]) c.ws.close();
});

done();
