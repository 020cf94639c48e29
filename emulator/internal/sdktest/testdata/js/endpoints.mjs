// Middleware without handlers, one for each element of the argument: the hub,
// and the endpoints of the services that it is for. The paths are their
// indexes. It prints its port as one line and serves until its standard input
// ends.
import express from "express";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";

const app = express();
for (const [i, { hub, allowedEndpoints }] of JSON.parse(process.argv[2]).middlewares.entries()) {
  app.use(new WebPubSubEventHandler(hub, { path: `/${i}`, allowedEndpoints }).getMiddleware());
}
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
