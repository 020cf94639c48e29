// The application: @azure/web-pubsub-express on Express, with the same handlers
// as newApplication in app_test.go. What it is told, it tells the group
// "notices". It prints its port as one line and serves until its standard input
// ends.
import express from "express";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import { WebPubSubServiceClient } from "@azure/web-pubsub";

const { connectionString, hub, allowedEndpoints } = JSON.parse(process.argv[2]);
const service = new WebPubSubServiceClient(connectionString, hub, { allowInsecureConnection: true });
const notices = service.group("notices");

let told = Promise.resolve();
const tell = (event, req, more) => {
  const { connectionId, userId, eventName, states, origin } = req.context;
  const notice = { event, connectionId, userId, eventName, state: states.n, origin, ...more };
  told = told.then(() => notices.sendToAll(notice)).catch((err) => console.error(err));
};

// What a client asks for in its query string: ?do=…
const connects = {
  everything: (req, res) => {
    res.setState("n", 10);
    res.success({
      userId: "bob",
      groups: ["room.lobby"],
      roles: ["webpubsub.joinLeaveGroup.room.a", "webpubsub.sendToGroup.room.lobby"],
      subprotocol: req.subprotocols.at(-1),
    });
  },
  noRoles: (req, res) => res.success({ roles: [] }),
  notOffered: (req, res) => res.success({ subprotocol: "not.offered" }),
  refuse: (req, res) => res.fail(401, "not today"),
};

const userEvents = {
  count: (req, res) => {
    const n = (req.context.states.n ?? 0) + 1;
    res.setState("n", n);
    res.success(String(n), "text");
  },
  // What an application does before it answers: it uses the service.
  enter: async (req, res) => {
    const { connectionId, userId } = req.context;
    const room = service.group(req.data);
    await room.addConnection(connectionId);
    await service.grantPermission(connectionId, "sendToGroup", { targetName: req.data });
    await room.sendToAll(`${userId} is here`, { contentType: "text/plain", excludedConnections: [connectionId] });
    res.success("welcome", "text");
  },
  goodbye: async (req, res) => {
    await service.closeConnection(req.context.connectionId, { reason: "goodbye" });
    res.success("too late", "text");
  },
  quiet: (req, res) => res.success(),
  refuse: (req, res) => res.fail(400, "not today"),
  who: (req, res) => {
    const { hub, connectionId, userId, eventName } = req.context;
    res.success(JSON.stringify({ hub, connectionId, userId, eventName, dataType: req.dataType }), "json");
  },
};

const echo = (req, res) =>
  res.success(req.dataType === "json" ? JSON.stringify(req.data) : req.data, req.dataType);

const handler = new WebPubSubEventHandler(hub, {
  path: "/eventhandler",
  allowedEndpoints,
  handleConnect: (req, res) => {
    const { claims, queries, headers, subprotocols } = req;
    tell("connect", req, { claims, queries, userAgent: headers["User-Agent"], subprotocols });
    (connects[req.queries.do?.[0]] ?? (() => res.success()))(req, res);
  },
  handleUserEvent: (req, res) => (userEvents[req.context.eventName.toLowerCase()] ?? echo)(req, res),
  onConnected: (req) => tell("connected", req),
  onDisconnected: (req) => tell("disconnected", req, { reason: req.reason }),
  onGroupJoined: (req) => tell("joined", req, { group: req.group }),
  onGroupLeft: (req) => tell("left", req, { group: req.group }),
});

const app = express();
app.use(handler.getMiddleware());
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
