// A handler whose messages are JSON, and that parses them where nobody catches
// the error: its process ends with a client that sends something else. It prints
// its port as one line and serves until its standard input ends.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

const accessKey = process.env.ACCESS_KEY;

function isSigned(req) {
  const id = req.headers["ce-connectionid"];
  const signatures = (req.headers["ce-signature"] ?? "").split(",").map((token) => token.trim());
  return id && signatures.includes("sha256=" + createHmac("sha256", accessKey).update(id).digest("hex"));
}

const server = createServer((req, res) => {
  if (req.method === "OPTIONS") {
    res.setHeader("WebHook-Allowed-Origin", "*");
    res.end();
    return;
  }
  if (!isSigned(req)) {
    res.writeHead(401).end();
    return;
  }
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    if (req.headers["ce-type"] !== "azure.webpubsub.user.message") {
      res.writeHead(204).end();
      return;
    }
    const message = JSON.parse(Buffer.concat(chunks));
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ echo: message.text }));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
