// The JavaScript row of the benchmark: @azure/web-pubsub-express on Express,
// answering each text with the same text. It prints its port as one line and
// serves until its standard input ends.
import express from "express";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";

const handler = new WebPubSubEventHandler("chat", {
  path: "/eventhandler",
  handleUserEvent: (req, res) => res.success(req.data, "text"),
});
const app = express();
app.use(handler.getMiddleware());
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
