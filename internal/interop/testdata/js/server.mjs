// The JavaScript side of the differential test: @azure/web-pubsub-express on
// Express, with the same handlers as startGo in server_test.go. It prints
// its port as one line and serves until its standard input ends.
import express from "express";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";

// Notifications, by connection id, for the event "notified" to tell.
const notifications = new Map();
const note = (req, ...what) => {
  const { connectionId } = req.context;
  notifications.set(connectionId, [...(notifications.get(connectionId) ?? []), what.join(" ")]);
};

// What a client asks for in its query string: ?do=…
const connects = {
  all: (req, res) =>
    res.success({
      userId: "bob",
      groups: ["room1", "room2"],
      roles: ["webpubsub.sendToGroup"],
      subprotocol: "json.webpubsub.azure.v1",
    }),
  nothing: (req, res) => res.success({}),
  noRoles: (req, res) => res.success({ roles: [] }),
  noUser: (req, res) => res.success({ userId: "" }),
  blankGroup: (req, res) => res.success({ groups: [" "] }),
  otherSubprotocol: (req, res) => res.success({ subprotocol: "not.offered" }),
  state: (req, res) => {
    res.setState("n", 1);
    res.success();
  },
  fail: (req, res) => res.fail(Number(req.queries.status[0]), "not today"),
  failSilently: (req, res) => res.fail(401),
  throw: () => {
    throw new Error("a secret of the process");
  },
  mqttProperties: (req, res) =>
    res.success({ userId: "bob", mqtt: { userProperties: [{ name: "a", value: "b" }] } }),
  mqttFail: (req, res) =>
    res.failWith({ mqtt: { code: Number(req.queries.code[0]), reason: "not today" } }),
};

const userEvents = {
  count: (req, res) => {
    const n = (req.context.states.n ?? 0) + 1;
    res.setState("n", n);
    res.success(String(n), "text");
  },
  sameState: (req, res) => {
    res.setState("n", req.context.states.n);
    res.success("same", "text");
  },
  failWithState: (req, res) => {
    res.setState("n", 9);
    res.fail(400, "not today");
  },
  fail: (req, res) => res.fail(Number(req.data), "not today"),
  quiet: (req, res) => res.success(),
  seen: (req, res) => {
    const { hub, connectionId, userId, eventName } = req.context;
    res.success(JSON.stringify([hub, connectionId, userId, eventName, req.dataType]), "json");
  },
  notified: (req, res) =>
    res.success(JSON.stringify(notifications.get(req.context.connectionId) ?? []), "json"),
  throw: () => {
    throw new Error("a secret of the process");
  },
  reject: async () => {
    throw new Error("a secret of the process");
  },
};

const echo = (req, res) =>
  res.success(req.dataType === "json" ? JSON.stringify(req.data) : req.data, req.dataType);

const handler = new WebPubSubEventHandler("chat", {
  path: "/eventhandler",
  allowedEndpoints: ["https://demo.webpubsub.azure.com", "https://demo.contoso.com"],
  handleConnect: (req, res) => (connects[req.queries?.do?.[0]] ?? (() => res.success()))(req, res),
  handleUserEvent: (req, res) => (userEvents[req.context.eventName] ?? echo)(req, res),
  onConnected: (req) => note(req, "connected", req.context.states.n ?? "-"),
  onDisconnected: (req) => note(req, "disconnected", req.reason || "-", req.mqtt?.disconnectPacket?.code ?? "-"),
  onGroupJoined: (req) => note(req, "joined", req.group),
  onGroupLeft: (req) => note(req, "left", req.group),
});

const app = express();
app.use(handler.getMiddleware());
app.use((req, res) => res.status(404).type("text").send("next"));
app.use((err, req, res, next) => {
  if (!res.headersSent) res.status(500).end();
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
