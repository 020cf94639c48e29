// A handler that knows the handshake by its header, which events have as well:
// it answers all of them like that. It prints its port as one line and serves
// until its standard input ends.
import { createServer } from "node:http";

const server = createServer((req, res) => {
  if (req.headers["webhook-request-origin"]) {
    res.setHeader("WebHook-Allowed-Origin", "*");
    res.end();
    return;
  }
  req.resume();
  req.on("end", () => res.writeHead(204).end());
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
