// Every operation of the service SDK, with clients to see what it does.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { WebPubSubServiceClient, odata } from "@azure/web-pubsub";
import { args, bytes, check, connect, done, everything, newService, text } from "./check.mjs";

const service = newService();
const group = (name) => service.group(name);
const plain = { contentType: "text/plain" };

// arrived returns what the clients have received since the last time. A mark
// that is sent to all of them makes sure that nothing is on its way.
let marks = 0;
async function arrived(...clients) {
  const mark = `mark ${++marks}`;
  await service.sendToAll(mark, plain);
  return Promise.all(
    clients.map(async ({ group, server }) => {
      await server.next((m) => m.data === mark);
      const messages = [...group.items.splice(0), ...server.items.splice(0)];
      return messages.filter((m) => !String(m.data).startsWith("mark ")).map((m) => m.data);
    }),
  );
}

const alice = await connect(service, { userId: "alice", groups: ["g"] });
const bob = await connect(service, { userId: "bob", groups: ["g"] });
const bob2 = await connect(service, { userId: "bob", protocol: "json" });
const anonymous = await connect(service, { protocol: "json" });
const all = [alice, bob, bob2, anonymous];

await check("sendToAll", async () => {
  for (const data of ["text as JSON", 0, true, { a: [1, "ü"] }, ["<>&\u2028"]]) {
    await service.sendToAll(data);
    for (const c of all) {
      const m = await c.server.next();
      assert.deepEqual([m.dataType, m.data], ["json", data]);
    }
  }
  await service.sendToAll("grüße", plain);
  await service.sendToAll(bytes("\u0000bytes"));
  for (const { server } of all) {
    const m = await server.next();
    assert.deepEqual([m.dataType, m.data], ["text", "grüße"]);
    const b = await server.next();
    assert.deepEqual([b.dataType, text(b.data)], ["binary", "\u0000bytes"]);
  }
  await service.sendToAll("not for alice and bob2", { ...plain, excludedConnections: [alice.id, bob2.id] });
  await service.sendToAll("alice", { ...plain, filter: odata`userId eq ${"alice"}`, messageTtlSeconds: 10 });
  await service.sendToAll("no user", { ...plain, filter: odata`userId eq ${null}` });
  await service.sendToAll("group", { ...plain, filter: "'g' in groups and not startswith(userId, 'al')" });
  assert.deepEqual(await arrived(...all), [
    ["alice"],
    ["not for alice and bob2", "group"],
    [],
    ["not for alice and bob2", "no user"],
  ]);
});

await check("sendToAll refused", async () => {
  await assert.rejects(service.sendToAll("", { filter: "userId eq" }), { statusCode: 400, code: "Error.BadRequest" });
  await assert.rejects(service.sendToAll("", { messageTtlSeconds: 301 }), (err) => /messageTtlSeconds/.test(err.message));
  await assert.rejects(service.sendToAll("x".repeat(2 << 20), plain), { statusCode: 413 });
  await service.sendToAll("x".repeat((1 << 20) - 1), plain);
  for (const { server } of all) assert.equal((await server.next()).data.length, (1 << 20) - 1);
});

await check("sendToUser", async () => {
  await service.sendToUser("bob", { for: "bob" });
  await service.sendToUser("bob", "one of them", { ...plain, filter: odata`connectionId eq ${bob2.id}`, messageTtlSeconds: 0 });
  await service.sendToUser("Bob", "nobody");
  await service.sendToUser("nobody", "nobody");
  assert.deepEqual(await arrived(...all), [[], [{ for: "bob" }], [{ for: "bob" }, "one of them"], []]);
});

await check("sendToConnection", async () => {
  await service.sendToConnection(alice.id, "for alice", plain);
  await service.sendToConnection(alice.id, [1], { messageTtlSeconds: 5 });
  await service.sendToConnection("nobody", "nobody");
  assert.deepEqual(await arrived(...all), [["for alice", [1]], [], [], []]);
});

await check("group.sendToAll", async () => {
  await group("g").sendToAll("text", plain);
  await group("g").sendToAll({ a: 1 }, { excludedConnections: [alice.id], messageTtlSeconds: 5 });
  await group("g").sendToAll("alice", { ...plain, filter: odata`userId ne ${"bob"}` });
  await group("nobody").sendToAll("nobody");
  await group("g").sendToAll(bytes("bytes"));
  for (const c of [alice, bob]) {
    const m = await c.group.next((m) => m.dataType === "binary");
    assert.deepEqual([m.group, m.fromUserId ?? "", text(m.data)], ["g", "", "bytes"]);
  }
  assert.deepEqual(await arrived(...all), [["text", "alice"], ["text", { a: 1 }], [], []]);
});

await check("exists", async () => {
  assert.deepEqual(
    await Promise.all([
      service.connectionExists(alice.id), service.connectionExists("nobody"),
      service.userExists("alice"), service.userExists("Alice"),
      service.groupExists("g"), service.groupExists("G"),
    ]),
    [true, false, true, false, true, false],
  );
});

await check("groups of connections", async () => {
  const odd = "a/b ?&=#%2F+ü世界";
  await group(odd).addConnection(alice.id);
  await group(odd).addConnection(alice.id);
  assert.equal(await service.groupExists(odd), true);
  await group(odd).sendToAll("odd", plain);
  assert.deepEqual(await arrived(...all), [["odd"], [], [], []]);
  await group(odd).removeConnection(alice.id);
  await group(odd).removeConnection(alice.id);
  assert.equal(await service.groupExists(odd), false);
  await assert.rejects(group("g").addConnection("nobody"), { statusCode: 404 });
  await group("h").addConnection(anonymous.id);
  await group("i").addConnection(anonymous.id);
  await service.removeConnectionFromAllGroups(anonymous.id);
  assert.deepEqual([await service.groupExists("h"), await service.groupExists("i")], [false, false]);
});

await check("groups of users", async () => {
  await group("h").addUser("bob");
  await group("i").addUser("bob");
  await group("h").addUser("nobody");
  await group("h").sendToAll("h", plain);
  assert.deepEqual(await arrived(...all), [[], ["h"], ["h"], []]);
  await group("h").removeUser("bob");
  assert.deepEqual([await service.groupExists("h"), await service.groupExists("i")], [false, true]);
  await service.removeUserFromAllGroups("bob");
  assert.deepEqual([await service.groupExists("i"), await service.groupExists("g")], [false, true]);
  await group("g").addConnection(bob.id);
});

await check("groups by filter", async () => {
  await service.addConnectionsToGroups(["h", "i"], odata`userId eq ${"bob"}`);
  await service.addConnectionsToGroups(["j"], "");
  await group("h").sendToAll("h", plain);
  await group("i").sendToAll("i", plain);
  await group("j").sendToAll("j", plain);
  assert.deepEqual(await arrived(...all), [["j"], ["h", "i", "j"], ["h", "i", "j"], ["j"]]);
  await service.removeConnectionsFromGroups(["h", "i"], odata`connectionId eq ${bob.id}`);
  await service.removeConnectionsFromGroups(["j"], "");
  await group("i").sendToAll("i", plain);
  assert.deepEqual(await arrived(...all), [[], [], ["i"], []]);
  assert.equal(await service.groupExists("j"), false);
  await assert.rejects(service.addConnectionsToGroups(["h"], "userId"), { statusCode: 400 });
});

await check("permissions", async () => {
  const carol = await connect(service, { userId: "carol", roles: [] });
  const can = () =>
    Promise.all(["joinLeaveGroup", "sendToGroup"].map((p) => service.hasPermission(carol.id, p, { targetName: "g" })));
  assert.deepEqual(await can(), [false, false]);
  await assert.rejects(carol.client.joinGroup("g"), { name: "SendMessageError" });
  await service.grantPermission(carol.id, "joinLeaveGroup", { targetName: "g" });
  assert.deepEqual(await can(), [true, false]);
  await carol.client.joinGroup("g");
  await assert.rejects(carol.client.sendToGroup("g", "", "text"), { name: "SendMessageError" });
  await service.grantPermission(carol.id, "sendToGroup", { targetName: "g" });
  assert.deepEqual(await can(), [true, true]);
  await carol.client.sendToGroup("g", "from carol", "text", { noEcho: true });
  assert.deepEqual(await arrived(alice, bob, carol), [["from carol"], ["from carol"], []]);
  await service.revokePermission(carol.id, "joinLeaveGroup", { targetName: "g" });
  assert.deepEqual(await can(), [false, true]);
  await assert.rejects(carol.client.leaveGroup("g"), { name: "SendMessageError" });
  await service.revokePermission(alice.id, "sendToGroup", { targetName: "g" });
  assert.equal(await service.hasPermission(alice.id, "sendToGroup", { targetName: "g" }), false);
  assert.equal(await service.hasPermission(alice.id, "sendToGroup", { targetName: "h" }), true);
  await service.grantPermission(alice.id, "sendToGroup", { targetName: "g" });
  await assert.rejects(service.grantPermission("nobody", "sendToGroup", { targetName: "g" }), { statusCode: 404 });
  assert.equal(await service.hasPermission("nobody", "sendToGroup", { targetName: "g" }), false);
  await service.closeConnection(carol.id);
});

await check("group.listConnections", async () => {
  const crowd = await Promise.all(Array.from({ length: 7 }, (_, i) => connect(service, { userId: i ? `user ${i}` : "", groups: ["crowd"] })));
  const want = crowd.map(({ id, userId }) => (userId ? { connectionId: id, userId } : { connectionId: id }));
  want.sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
  const list = async (options) => {
    const members = [];
    for await (const m of await group("crowd").listConnections(options)) members.push(m);
    return members;
  };
  assert.deepEqual(await list(), want);
  assert.deepEqual(await list({ maxPageSize: 2 }), want);
  assert.deepEqual(await list({ maxPageSize: 7 }), want);
  assert.deepEqual(await list({ top: 5, maxPageSize: 3 }), want.slice(0, 5));
  const pages = [];
  for await (const page of (await group("crowd").listConnections({ maxPageSize: 3 })).byPage()) pages.push(page.length);
  assert.deepEqual(pages, [3, 3, 1]);
  let nextLink;
  const onResponse = (res) => { nextLink = JSON.parse(res.bodyAsText).nextLink; };
  await (await group("crowd").listConnections({ maxPageSize: 3, onResponse })).next();
  const continuationToken = new URL(nextLink).searchParams.get("continuationToken");
  assert.deepEqual(await list({ continuationToken }), want.slice(3));
  assert.deepEqual(await list({ continuationToken, maxPageSize: 1, top: 2 }), want.slice(3, 5));
  await assert.rejects(list({ continuationToken: "x" }), { statusCode: 400 });
  const empty = await group("nobody").listConnections();
  assert.equal((await empty.next()).done, true);

  await group("crowd").closeAllConnections({ reason: "crowded" });
  for (const { life } of crowd) {
    const { message } = await life.next((e) => e.event === "disconnected");
    assert.equal(message.message, "Application server closed the connection. Reason: crowded");
  }
  assert.equal(await service.groupExists("crowd"), false);
});

await check("getClientAccessToken", async () => {
  const { url, baseUrl, token } = await service.getClientAccessToken({ userId: "dave", expirationTimeInMinutes: 5 });
  assert.equal(url, `${baseUrl}?access_token=${token}`);
  const dave = await connect({ getClientAccessToken: () => ({ url }) });
  assert.equal(dave.userId, "dave");
  await assert.rejects(dave.client.joinGroup("g"), { name: "SendMessageError" });
  dave.client.stop();
});

// Tokens of Microsoft Entra ID go to https only, and the SDK then has the
// service make the tokens of clients. Here they are signed with the access key.
if (service.endpoint.startsWith("https:")) {
  await check("generateClientToken", async () => {
    const part = (v) => Buffer.from(v).toString("base64url");
    const claims = { aud: service.endpoint, exp: Math.floor(Date.now() / 1000) + 600 };
    const signed = [{ alg: "HS256", typ: "JWT" }, claims].map((v) => part(JSON.stringify(v))).join(".");
    const key = /AccessKey=([^;]+)/.exec(args.connectionString)[1];
    const token = `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
    const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 600_000 }) };
    const entra = new WebPubSubServiceClient(service.endpoint, credential, args.hub);
    const erin = await connect(entra, { userId: "erin", roles: everything.slice(0, 1), groups: ["entra"] });
    assert.equal(erin.userId, "erin");
    await erin.client.joinGroup("other");
    await assert.rejects(erin.client.sendToGroup("other", "", "text"), { name: "SendMessageError" });
    await entra.group("entra").sendToAll("hi", plain);
    assert.equal((await erin.group.next()).data, "hi");
    erin.client.stop();
  });
}

await check("reverse proxy", async () => {
  const { connectionString, address } = args.proxied;
  const options = { allowInsecureConnection: true, reverseProxyEndpoint: address };
  assert.ok(!connectionString.includes(address));
  const proxied = new WebPubSubServiceClient(connectionString, args.hub, options);
  assert.equal(await proxied.userExists("alice"), false);
  await proxied.sendToAll("nobody is there");
});

await check("another key, another hub", async () => {
  const stranger = new WebPubSubServiceClient(args.connectionString.replace("AccessKey=", "AccessKey=x"), args.hub, {
    allowInsecureConnection: true,
  });
  await assert.rejects(stranger.sendToAll(""), { statusCode: 401 });
  await assert.rejects(connect(stranger), /401/);
  assert.equal(await newService("other").connectionExists(alice.id), false);
  const upper = newService(args.hub.toUpperCase());
  assert.equal(await upper.connectionExists(alice.id), true);
  const shouting = await connect(upper, { userId: "shouting" });
  assert.equal(await service.userExists("shouting"), true);
  shouting.client.stop();
});

await check("close", async () => {
  const ends = async (c, reason) => {
    const { message } = await c.life.next((e) => e.event === "disconnected");
    assert.equal(message.message, `Application server closed the connection.${reason}`);
  };
  await service.closeConnection("nobody", { reason: "nobody" });
  await service.closeConnection(anonymous.id);
  await ends(anonymous, "");
  assert.equal(await service.connectionExists(anonymous.id), false);
  await service.closeUserConnections("bob", { reason: "a&b=ü" });
  for (const c of [bob, bob2]) await ends(c, " Reason: a&b=ü");
  assert.deepEqual([await service.userExists("bob"), await service.userExists("alice")], [false, true]);
  const frank = await connect(service, { userId: "frank" });
  await service.closeAllConnections({ reason: "closing", excluded: [frank.id] });
  await ends(alice, " Reason: closing");
  assert.deepEqual([await service.userExists("alice"), await service.userExists("frank")], [false, true]);
  await service.closeAllConnections();
  await ends(frank, "");
});

done();
