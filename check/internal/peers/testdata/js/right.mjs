// A handler on Node's http alone that does all as it should. It prints its port
// as one line and serves until its standard input ends.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const host = "localhost";
const accessKey = process.env.ACCESS_KEY;
const maxBody = 2 << 20;

const split = (header) => (header ?? "").split(",").map((part) => part.trim());
const isOurs = (origin) => origin.toLowerCase() === host;

// Node gives the bytes of a header as ISO 8859-1.
const utf8 = (header) => header && Buffer.from(header, "latin1").toString("utf8");

function isSigned(req) {
  const want = createHmac("sha256", accessKey).update(req.headers["ce-connectionid"]).digest();
  return split(req.headers["ce-signature"]).some((token) => {
    const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(token) ?? [];
    return hex !== undefined && timingSafeEqual(Buffer.from(hex, "hex"), want);
  });
}

async function readBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > maxBody) {
      throw Object.assign(new Error("too long"), { status: 413 });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function handshake(req, res) {
  const allowed = split(req.headers["webhook-request-origin"]).filter(isOurs);
  if (allowed.length === 0) {
    res.writeHead(403).end();
    return;
  }
  res.setHeader("WebHook-Allowed-Origin", allowed);
  res.end();
}

async function event(req, res) {
  const { "ce-type": type, "ce-hub": hub, "ce-connectionid": connectionId } = req.headers;
  if (!type || !hub || !connectionId) {
    return res.writeHead(400).end();
  }
  if (!split(req.headers["webhook-request-origin"]).some(isOurs)) {
    return res.writeHead(403).end();
  }
  if (!isSigned(req)) {
    return res.writeHead(401).end();
  }
  const body = await readBody(req);
  switch (type) {
    case "azure.webpubsub.sys.connect": {
      const { subprotocols } = JSON.parse(body);
      const answer = { userId: utf8(req.headers["ce-userid"]), groups: ["lobby"] };
      if (subprotocols?.includes("json.webpubsub.azure.v1")) {
        answer.subprotocol = "json.webpubsub.azure.v1";
      }
      res.writeHead(200, { "Content-Type": "application/json" });
      return res.end(JSON.stringify(answer));
    }
    case "azure.webpubsub.user.message":
      res.writeHead(200, { "Content-Type": req.headers["content-type"] });
      return res.end(body);
  }
  res.writeHead(204).end();
}

const server = createServer(async (req, res) => {
  try {
    switch (req.method) {
      case "OPTIONS":
      case "GET":
        return handshake(req, res);
      case "POST":
        return await event(req, res);
    }
    res.writeHead(405).end();
  } catch (err) {
    res.writeHead(err.status ?? (err instanceof SyntaxError ? 400 : 500)).end();
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
