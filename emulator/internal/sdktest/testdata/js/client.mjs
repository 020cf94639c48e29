// What the client SDK does, with a handler behind the service.
import assert from "node:assert/strict";
import { args, bytes, check, connect, done, everything, newService, text } from "./check.mjs";

const { protocol, origin } = args;
const service = newService();
const start = (options) => connect(service, { protocol, ...options });
const observer = await start({ userId: "observer", groups: ["notices"] });

// notice returns what the handler was told about a client.
const notice = async (event, id) => {
  const { data } = await observer.group.next((m) => m.data.event === event && m.data.connectionId === id);
  return data;
};

await check("connected", async () => {
  const alice = await start({ userId: "alice", groups: ["room.a"] });
  assert.equal(alice.userId, "alice");
  const connect = await notice("connect", alice.id);
  assert.equal(connect.userId, "alice");
  assert.equal(connect.origin, origin);
  assert.deepEqual(connect.claims.sub, ["alice"]);
  assert.deepEqual(connect.claims.role, everything);
  assert.deepEqual(connect.claims["webpubsub.group"], ["room.a"]);
  assert.deepEqual(connect.queries, {});
  assert.deepEqual(connect.subprotocols, [observer.client._protocol.name]);
  assert.equal((await notice("connected", alice.id)).userId, "alice");
  assert.equal((await notice("joined", alice.id)).group, "room.a");
  alice.client.stop();
  await alice.life.next((e) => e.event === "stopped");
  assert.equal((await notice("left", alice.id)).group, "room.a");
  assert.equal((await notice("disconnected", alice.id)).reason ?? "", "");
  assert.equal(await service.connectionExists(alice.id), false);
});

await check("anonymous", async () => {
  const { client, id, userId } = await start();
  assert.ok(!userId);
  assert.equal((await notice("connected", id)).userId, undefined);
  client.stop();
  await notice("disconnected", id);
});

await check("groups", async () => {
  const [alice, bob] = [await start({ userId: "alice" }), await start({ userId: "bob" })];
  for (const c of [alice, bob]) {
    assert.equal((await c.client.joinGroup("room.a")).isDuplicated, false);
    assert.equal((await notice("joined", c.id)).group, "room.a");
  }
  const payloads = [
    ["text", "", "an empty text"],
    ["text", "grüße, 世界 \u2028\u0000\"\\", "a text"],
    ["json", { a: [1, null, "<>&"], b: {} }, "an object"],
    ["json", 0, "a number"],
    ["json", false, "a boolean"],
  ];
  for (const [dataType, data] of payloads) {
    await alice.client.sendToGroup("room.a", data, dataType);
    for (const c of [alice, bob]) {
      const m = await c.group.next();
      assert.deepEqual([m.group, m.fromUserId, m.dataType, m.data], ["room.a", "alice", dataType, data]);
    }
  }
  const binary = Uint8Array.from({ length: 256 }, (_, i) => i);
  await alice.client.sendToGroup("room.a", binary.buffer, "binary");
  for (const c of [alice, bob]) {
    const m = await c.group.next();
    assert.equal(m.dataType, "binary");
    assert.deepEqual(new Uint8Array(m.data), binary);
  }
  await alice.client.sendToGroup("room.a", "for bob", "text", { noEcho: true });
  await alice.client.sendToGroup("room.a", "for both", "text", { fireAndForget: true });
  assert.equal((await alice.group.next()).data, "for both");
  assert.equal((await bob.group.next()).data, "for bob");
  assert.equal((await bob.group.next()).data, "for both");

  await bob.client.leaveGroup("room.a");
  assert.equal((await notice("left", bob.id)).group, "room.a");
  await alice.client.sendToGroup("room.a", "bob is gone", "text");
  assert.equal((await alice.group.next()).data, "bob is gone");
  await bob.client.joinGroup("room.a");
  await alice.client.sendToGroup("room.a", "bob is back", "text");
  assert.equal((await bob.group.next()).data, "bob is back");
  for (const c of [alice, bob]) c.client.stop();
});

const pick = (m) => [m.dataType, m.data];

await check("events", async () => {
  const { client, server, id } = await start({ userId: "alice" });
  await client.sendEvent("say", "hallo, 世界", "text");
  assert.deepEqual(pick(await server.next()), ["text", "hallo, 世界"]);
  await client.sendEvent("say", { a: [1, "ü"] }, "json");
  assert.deepEqual(pick(await server.next()), ["json", { a: [1, "ü"] }]);
  await client.sendEvent("say", bytes("\u0000\u0001bytes"), "binary");
  const m = await server.next();
  assert.deepEqual([m.dataType, text(m.data)], ["binary", "\u0000\u0001bytes"]);

  // A reply comes before the ack, so that nothing has to be waited for.
  await client.sendEvent("Who", "", "text");
  assert.equal(server.items.length, 1);
  const who = (await server.next()).data;
  assert.deepEqual(who, { hub: args.hub, connectionId: id, userId: "alice", eventName: "Who", dataType: "text" });
  await client.sendEvent("quiet", "no reply", "text");
  assert.equal(server.items.length, 0);
  await client.sendEvent("say", "no ack", "text", { fireAndForget: true });
  assert.deepEqual(pick(await server.next()), ["text", "no ack"]);
  client.stop();
});

await check("state", async () => {
  const { client, server, id } = await start();
  for (const want of ["1", "2", "3"]) {
    await client.sendEvent("count", "", "text");
    assert.equal((await server.next()).data, want);
  }
  client.stop();
  assert.equal((await notice("disconnected", id)).state, 3);
});

await check("a chat", async () => {
  const rooms = { roles: [] };
  const [alice, bob] = [await start({ userId: "alice", ...rooms }), await start({ userId: "bob", ...rooms })];
  for (const c of [alice, bob]) {
    await assert.rejects(c.client.joinGroup("room.a"), { name: "SendMessageError" });
    await c.client.sendEvent("enter", "room.a", "text");
    assert.equal((await c.server.next()).data, "welcome");
    assert.equal((await notice("joined", c.id)).group, "room.a");
  }
  assert.equal((await alice.group.next()).data, "bob is here");
  await bob.client.sendToGroup("room.a", "hi alice", "text");
  for (const c of [alice, bob]) assert.equal((await c.group.next()).data, "hi alice");
  await bob.client.sendEvent("goodbye", "", "text", { fireAndForget: true });
  const { message } = await bob.life.next((e) => e.event === "disconnected");
  assert.equal(message.message, "Application server closed the connection. Reason: goodbye");
  assert.equal((await notice("left", bob.id)).group, "room.a");
  assert.match((await notice("disconnected", bob.id)).reason, /goodbye/);
  assert.deepEqual(bob.server.items, []);
  await alice.client.sendToGroup("room.a", "bye bob", "text");
  assert.equal((await alice.group.next()).data, "bye bob");
  alice.client.stop();
});

await check("event refused", async () => {
  const { client, server } = await start();
  await assert.rejects(client.sendEvent("refuse", "", "text"), (err) => {
    assert.equal(err.name, "SendMessageError");
    assert.equal(err.errorDetail.name, "InternalServerError");
    return true;
  });
  await client.sendEvent("say", "still here", "text");
  assert.equal((await server.next()).data, "still here");
  client.stop();
});

await check("duplicates", async () => {
  const { client, group, server } = await start({ groups: ["room.a"] });
  for (const isDuplicated of [false, true]) {
    const ackId = { ackId: 701 };
    assert.deepEqual(await client.sendToGroup("room.a", "once", "text", ackId), { ...ackId, isDuplicated });
  }
  for (const isDuplicated of [false, true]) {
    const ackId = { ackId: 702 };
    assert.deepEqual(await client.joinGroup("room.b", ackId), { ...ackId, isDuplicated });
  }
  for (const isDuplicated of [false, true]) {
    const ackId = { ackId: Number.MAX_SAFE_INTEGER };
    assert.deepEqual(await client.sendEvent("count", "", "text", ackId), { ...ackId, isDuplicated });
  }
  await client.sendEvent("count", "", "text");
  assert.deepEqual(server.items.map((m) => m.data), ["1", "2"]);
  await client.sendToGroup("room.a", "twice", "text");
  assert.equal((await group.next()).data, "once");
  assert.equal((await group.next()).data, "twice");
  // What failed may be tried again under the same id.
  for (let i = 0; i < 2; i++) {
    await assert.rejects(client.sendEvent("refuse", "", "text", { ackId: 703 }), { name: "SendMessageError" });
  }
  client.stop();
});

const refusal = (name, message) => (err) => {
  assert.equal(err.name, "SendMessageError");
  assert.deepEqual(err.errorDetail, { name, message });
  return true;
};

await check("roles", async () => {
  const roles = ["webpubsub.sendToGroup.room.a", "webpubsub.joinLeaveGroups.room.*"];
  const { client } = await start({ userId: "carol", roles });
  await client.joinGroup("room.z");
  await client.sendToGroup("room.a", "allowed", "text");
  const forbidden = (verb, group) =>
    refusal("Forbidden", `The client does not have permission to ${verb} group '${group}'.`);
  await assert.rejects(client.joinGroup("room.a.b"), forbidden("join", "room.a.b"));
  await assert.rejects(client.leaveGroup("hall"), forbidden("leave", "hall"));
  await assert.rejects(client.sendToGroup("room.z", "", "text"), forbidden("send to", "room.z"));
  client.stop();
});

await check("preview features are refused", async () => {
  const { client, server, group } = await start({ groups: ["room.a"] });
  await assert.rejects(client.invokeEvent("say", "hi", "text"), (err) => {
    assert.equal(err.name, "InvocationError");
    assert.deepEqual(err.errorDetail, {
      name: "BadRequest",
      message: "Invoking an event is not supported by this service.",
    });
    return true;
  });
  await assert.rejects(client.openGroupStream("room.a"), {
    name: "BadRequest",
    message: "Streaming is not supported by this service.",
  });
  await client.sendEvent("say", "still here", "text");
  assert.equal((await server.next()).data, "still here");
  assert.deepEqual(group.items, []);
  client.stop();
});

await check("closed by the application", async () => {
  const { client, life, id } = await start();
  await service.closeConnection(id, { reason: "over" });
  const message = "Application server closed the connection. Reason: over";
  const { message: told } = await life.next((e) => e.event === "disconnected");
  assert.equal(told.message, message);
  await life.next((e) => e.event === "stopped");
  assert.equal((await notice("disconnected", id)).reason, message);
  client.stop();
});

await check("pings", async () => {
  const { client } = await start({ keepAliveIntervalInMs: 10, keepAliveTimeoutInMs: 300 });
  const before = client._lastMessageReceived;
  while (client._lastMessageReceived - before < 500) await new Promise((resolve) => setTimeout(resolve, 10));
  client.stop();
});

await check("no permission to connect", async () => {
  const { url } = await newService().getClientAccessToken({ expirationTimeInMinutes: -10 });
  await assert.rejects(connect({ getClientAccessToken: () => ({ url }) }), /401/);
  await assert.rejects(start({ query: "&do=refuse" }), /401/);
});

await check("connect decides", async () => {
  const { client, group, server, id, userId } = await start({ userId: "alice", query: "&do=everything" });
  assert.equal(userId, "bob");
  assert.equal((await notice("connected", id)).state, 10);
  assert.equal((await notice("joined", id)).group, "room.lobby");
  await client.sendToGroup("room.lobby", "hi", "text");
  assert.equal((await group.next()).fromUserId, "bob");
  await client.joinGroup("room.a");
  await assert.rejects(client.joinGroup("room.b"), { name: "SendMessageError" });
  await client.sendEvent("count", "", "text");
  assert.equal((await server.next()).data, "11");
  client.stop();

  const powerless = await start({ query: "&do=noRoles" });
  await assert.rejects(powerless.client.joinGroup("room.a"), { name: "SendMessageError" });
  powerless.client.stop();
  await assert.rejects(start({ query: "&do=notOffered" }), /500/);
});

done();
