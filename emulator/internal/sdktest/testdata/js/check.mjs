// What the scripts share. A script makes checks, one after the other, and
// prints the result of each as one line of JSON.
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import {
  WebPubSubClient,
  WebPubSubJsonProtocol,
  WebPubSubJsonReliableProtocol,
} from "@azure/web-pubsub-client";

// What the test says: the connection string of the service, and more.
export const args = JSON.parse(process.argv[2]);

const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let checks = 0;

// check runs fn. With an error the script goes on, so that the test sees all
// that is wrong.
export async function check(name, fn) {
  checks++;
  try {
    await within(fn(), 20_000, () => "the check did not end");
    print({ name });
  } catch (err) {
    print({ name, error: err?.stack ?? String(err) });
  }
}

// done ends the process, and tells that no check is missing.
export function done() {
  process.stdout.write(JSON.stringify({ done: checks }) + "\n", () => process.exit());
}

function within(promise, limit, what) {
  let timer;
  const impatience = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} in ${limit / 1000} s`)), limit);
  });
  return Promise.race([promise, impatience]).finally(() => clearTimeout(timer));
}

// An Inbox keeps what has arrived until somebody wants it.
export class Inbox {
  items = [];
  #waiting = [];

  push(item) {
    this.items.push(item);
    for (const look of this.#waiting.splice(0)) look();
  }

  // next takes out the first item that fn accepts, and waits for it. Items
  // before it stay.
  async next(fn = () => true) {
    const found = async () => {
      for (;;) {
        const i = this.items.findIndex(fn);
        if (i >= 0) return this.items.splice(i, 1)[0];
        await new Promise((resolve) => this.#waiting.push(resolve));
      }
    };
    const what = () => `nothing of ${fn} arrived; there is ${JSON.stringify(this.items).slice(0, 2000)}`;
    return within(found(), 10_000, what);
  }
}

const inform = (emitter, inbox, ...events) => {
  for (const event of events) emitter.on(event, (e) => inbox.push({ event, ...e }));
};

export const newService = (hub = args.hub) =>
  new WebPubSubServiceClient(args.connectionString, hub, { allowInsecureConnection: true });

export const everything = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];

export const protocols = { json: WebPubSubJsonProtocol, reliable: WebPubSubJsonReliableProtocol };

// connect returns a started client of the SDK, with what it has received.
export async function connect(service, options = {}) {
  const { protocol = "reliable", query = "", userId, roles = everything, groups, ...more } = options;
  const { url } = await service.getClientAccessToken({ userId, roles, groups });
  const client = new WebPubSubClient(url + query, {
    protocol: protocols[protocol](),
    autoReconnect: false,
    messageRetryOptions: { maxRetries: 0 },
    ...more,
  });
  const c = { client, life: new Inbox(), group: new Inbox(), server: new Inbox() };
  inform(client, c.life, "connected", "disconnected", "stopped");
  client.on("group-message", (e) => c.group.push(e.message));
  client.on("server-message", (e) => c.server.push(e.message));
  await client.start();
  const connected = await c.life.next();
  c.id = connected.connectionId;
  c.userId = connected.userId;
  return c;
}

// socketOf returns the network connection of a client of the SDK, which knows
// nothing of what is done to it.
export const socketOf = (client) => client._wsClient._socket._socket;

// text decodes what arrived as binary.
export const text = (data) => Buffer.from(data).toString();

export const bytes = (data) => new Uint8Array(Buffer.from(data)).buffer;
