// How a client of the reliable protocol gets over broken network connections.
import assert from "node:assert/strict";
import { args, check, connect, done, newService, socketOf } from "./check.mjs";

const service = newService();
const observer = await connect(service, { userId: "observer", groups: ["notices"] });
const notice = async (event, id) => {
  const { data } = await observer.group.next((m) => m.data.event === event && m.data.connectionId === id);
  return data;
};

// breakAndRecover destroys the network connection, and waits for the next.
async function breakAndRecover({ client }) {
  const before = socketOf(client);
  before.destroy();
  for (;;) {
    await new Promise(setImmediate);
    const ws = client._wsClient;
    if (ws.isOpen() && ws._socket._socket !== before && client._state === "Connected") return;
  }
}

// hold keeps a client from connecting again until the result is called.
function hold(client) {
  const { _connectCore } = client;
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  client._connectCore = async function (uri) {
    await held;
    return _connectCore.call(this, uri);
  };
  return go;
}

const count = 300;

await check("nothing is lost, doubled or out of order", async () => {
  const alice = await connect(service, {
    userId: "alice",
    groups: ["room.a"],
    messageRetryOptions: { maxRetries: 100, retryDelayInMs: 5 },
  });
  const bob = await connect(service, { userId: "bob" });
  let sending = 4;
  const flow = async (send) => {
    for (let i = 0; i < count; i++) await send(i);
    sending--;
  };
  const senders = [
    flow((i) => service.group("room.a").sendToAll({ from: "service to group", i })),
    flow((i) => service.sendToConnection(alice.id, { from: "service to connection", i })),
    flow((i) => bob.client.sendToGroup("room.a", { from: "bob", i }, "json")),
    // The same ack id in every attempt: the service knows what it has done.
    flow((i) => alice.client.sendToGroup("room.a", { from: "alice", i }, "json", { ackId: 1000 + i })),
  ];
  let broken = 0;
  while (sending > 0) {
    await breakAndRecover(alice);
    broken++;
    const { length } = alice.group.items;
    while (sending > 0 && alice.group.items.length < length + 20) await new Promise(setImmediate);
  }
  await Promise.all(senders);
  assert.ok(broken >= 10, `broken ${broken} times`);
  await service.sendToUser("alice", { from: "end" });
  await alice.server.next((m) => m.data.from === "end");

  const got = {};
  for (const { data } of [...alice.group.items, ...alice.server.items]) (got[data.from] ??= []).push(data.i);
  const all = Array.from({ length: count }, (_, i) => i);
  assert.deepEqual(got, { "service to group": all, "service to connection": all, bob: all, alice: all });
  assert.deepEqual(alice.life.items, []);
  assert.equal((await notice("connected", alice.id)).userId, "alice");
  for (const c of [alice, bob]) c.client.stop();
  await notice("disconnected", alice.id);
  assert.deepEqual(observer.group.items.filter((m) => m.data.connectionId === alice.id && /connected/.test(m.data.event)), []);
});

await check("a request that is repeated is carried out once", async () => {
  const alice = await connect(service, { messageRetryOptions: { maxRetries: 10_000, retryDelayInMs: 0 } });
  const bob = await connect(service, { groups: ["room.a"], protocol: "json" });
  const requests = [];
  let ackId = 0;
  for (let burst = 0; burst < 10; burst++) {
    for (let i = 0; i < 100; i++) {
      requests.push(alice.client.sendToGroup("room.a", ++ackId, "json", { ackId }));
    }
    await new Promise(setImmediate);
    await breakAndRecover(alice);
  }
  await Promise.all(requests);
  await bob.client.sendToGroup("room.a", "end", "text");
  await bob.group.next((m) => m.data === "end");
  const got = bob.group.items.map((m) => m.data).sort((a, b) => a - b);
  assert.deepEqual(got, Array.from({ length: ackId }, (_, i) => i + 1));
  for (const c of [alice, bob]) c.client.stop();
});

await check("messages wait for the client", async () => {
  const alice = await connect(service, { userId: "alice", groups: ["room.a"] });
  const { client } = alice;
  await client.joinGroup("room.b");
  await service.grantPermission(alice.id, "joinLeaveGroup", { targetName: "room.c" });
  const recover = hold(client);
  socketOf(client).destroy();
  for (let i = 0; i < 50; i++) await service.group("room.b").sendToAll(String(i), { contentType: "text/plain" });
  assert.equal(await service.connectionExists(alice.id), true);
  recover();
  for (let i = 0; i < 50; i++) assert.equal((await alice.group.next()).data, String(i));
  await client.joinGroup("room.c");
  client.stop();
  await notice("disconnected", alice.id);
});

await check("state and duplicates outlive the network connection", async () => {
  const alice = await connect(service);
  const { client, server } = alice;
  await client.sendEvent("count", "", "text", { ackId: 7 });
  await breakAndRecover(alice);
  assert.equal((await client.sendEvent("count", "", "text", { ackId: 7 })).isDuplicated, true);
  await client.sendEvent("count", "", "text");
  assert.deepEqual(server.items.map((m) => m.data), ["1", "2"]);
  client.stop();
});

await check("a connection that cannot be recovered is replaced", async () => {
  const alice = await connect(service, { userId: "alice", autoReconnect: true });
  const { client, life, group } = alice;
  await client.joinGroup("room.a");
  client._reconnectionToken = "not a token";
  socketOf(client).destroy();
  assert.equal((await life.next()).event, "disconnected");
  const { event, connectionId } = await life.next();
  assert.equal(event, "connected");
  assert.notEqual(connectionId, alice.id);
  assert.equal(await service.connectionExists(connectionId), true);
  await service.group("room.a").sendToAll("joined again", { contentType: "text/plain" });
  assert.equal((await group.next()).data, "joined again");
  // The old one is given up after the time that it has to be recovered in.
  assert.match((await notice("disconnected", alice.id)).reason, /not recovered/);
  client.stop();
});

await check("a client that has missed too much", async () => {
  const alice = await connect(service, { userId: "alice", groups: ["room.a"], autoReconnect: true });
  const bob = await connect(service, { userId: "bob" });
  const recover = hold(alice.client);
  socketOf(alice.client).destroy();
  for (let i = 0; i < 1100; i++) bob.client.sendToGroup("room.a", "text", "text", { fireAndForget: true });
  assert.match((await notice("disconnected", alice.id)).reason, /too slowly/);
  recover();
  assert.equal((await alice.life.next()).event, "disconnected");
  assert.notEqual((await alice.life.next()).connectionId, alice.id);
  assert.deepEqual(alice.life.items, []);
  for (const c of [alice, bob]) c.client.stop();
});

await check("a connection that the application closed is replaced", async () => {
  const alice = await connect(service, { userId: "alice", autoReconnect: true });
  const { client, life } = alice;
  await service.closeConnection(alice.id, { reason: "again" });
  const { event, message } = await life.next();
  assert.equal(event, "disconnected");
  assert.equal(message.message, "Application server closed the connection. Reason: again");
  const next = await life.next();
  assert.equal(next.event, "connected");
  assert.notEqual(next.connectionId, alice.id);
  client.stop();
});

await check("stop is final", async () => {
  const alice = await connect(service, { userId: "alice", autoReconnect: true });
  alice.client.stop();
  assert.equal((await notice("disconnected", alice.id)).reason ?? "", "");
  assert.equal(await service.connectionExists(alice.id), false);
  assert.deepEqual(await alice.life.next(), { event: "disconnected", connectionId: alice.id, message: undefined });
  assert.equal((await alice.life.next()).event, "stopped");
});

await check("a client that does not come back", async () => {
  const alice = await connect(service, { userId: "alice" });
  alice.client._isStopping = true; // stop() would say goodbye
  socketOf(alice.client).destroy();
  assert.match((await notice("disconnected", alice.id)).reason, /not recovered/);
  assert.equal(await service.userExists("alice"), false);
});

done();
