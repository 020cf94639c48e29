// A handler with @azure/web-pubsub-express on Express. It does itself all that
// the middleware leaves to it, so that what is found is the middleware's. With
// the argument "parsed", a body parser stands in front of it. It prints its port
// as one line and serves until its standard input ends.
import express from "express";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";

const handler = new WebPubSubEventHandler("chat", {
  path: "/eventhandler",
  allowedEndpoints: ["http://localhost"],
  handleConnect: (req, res) => {
    res.setState("messages", 0);
    res.success({ userId: req.context.userId, groups: ["lobby"] });
  },
  handleUserEvent: (req, res) => {
    if (req.context.eventName !== "message") {
      res.fail(400, "no such event");
      return;
    }
    res.setState("messages", (req.context.states.messages ?? 0) + 1);
    res.success(req.dataType === "json" ? JSON.stringify(req.data) : req.data, req.dataType);
  },
  onConnected: (req) => console.error(`${req.context.connectionId} is there`),
  onGroupJoined: (req) => console.error(`${req.context.connectionId} is in ${req.group}`),
  onGroupLeft: (req) => console.error(`${req.context.connectionId} has left ${req.group}`),
  onDisconnected: (req) => console.error(`${req.context.connectionId} is gone: ${req.reason}`),
});

const app = express();
if (process.argv[2] === "parsed") {
  app.use(express.json());
}
app.use(handler.getMiddleware());

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
