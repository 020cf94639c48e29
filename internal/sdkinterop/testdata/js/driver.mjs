// The JavaScript side of the comparison: @azure/web-pubsub performs the
// operations that it reads from its standard input, one JSON object in each
// line, and prints for each one what came of it, as a JSON object in a line.
//
//   node driver.mjs <connection string> <hub>
//
//   in   {"op":"sendToGroup","args":["lobby","hello",{"contentType":"text/plain"}]}
//   out  {"result":…} or {"error":{"statusCode":404,"code":"…","message":"…"}}
//
// A result is left out where there is none. It ends with its input.
import readline from "node:readline";
import { WebPubSubServiceClient, odata } from "@azure/web-pubsub";

const [connectionString, hub] = process.argv.slice(2);
const client = new WebPubSubServiceClient(connectionString, hub, {
  allowInsecureConnection: true, // for local services; it refuses http otherwise
  retryOptions: { maxRetries: 0 },
});

// Binary messages come as {"base64":"…"}.
const message = (m) => (m?.base64 === undefined ? m : new Uint8Array(Buffer.from(m.base64, "base64")));

const operations = {
  sendToAll: (m, options) => client.sendToAll(message(m), options),
  sendToGroup: (group, m, options) => client.group(group).sendToAll(message(m), options),
  sendToUser: (user, m, options) => client.sendToUser(user, message(m), options),
  sendToConnection: (id, m, options) => client.sendToConnection(id, message(m), options),
  connectionExists: (id) => client.connectionExists(id),
  groupExists: (group) => client.groupExists(group),
  userExists: (user) => client.userExists(user),
  closeConnection: (id, options) => client.closeConnection(id, options),
  closeAllConnections: (options) => client.closeAllConnections(options),
  closeGroupConnections: (group, options) => client.group(group).closeAllConnections(options),
  closeUserConnections: (user, options) => client.closeUserConnections(user, options),
  addConnectionToGroup: (id, group) => client.group(group).addConnection(id),
  removeConnectionFromGroup: (id, group) => client.group(group).removeConnection(id),
  removeConnectionFromAllGroups: (id) => client.removeConnectionFromAllGroups(id),
  addUserToGroup: (user, group) => client.group(group).addUser(user),
  removeUserFromGroup: (user, group) => client.group(group).removeUser(user),
  removeUserFromAllGroups: (user) => client.removeUserFromAllGroups(user),
  addConnectionsToGroups: (groups, filter) => client.addConnectionsToGroups(groups, filter),
  removeConnectionsFromGroups: (groups, filter) => client.removeConnectionsFromGroups(groups, filter),
  groupConnections: async (group, options) => {
    const members = [];
    for await (const { connectionId, userId } of await client.group(group).listConnections(options)) {
      members.push({ connectionId, userId });
    }
    return members;
  },
  grantPermission: (id, permission, group) => client.grantPermission(id, permission, { targetName: group }),
  revokePermission: (id, permission, group) => client.revokePermission(id, permission, { targetName: group }),
  hasPermission: (id, permission, group) => client.hasPermission(id, permission, { targetName: group }),
  clientAccess: (options) => client.getClientAccessToken(options),

  // The client has no public methods for these two; its inner one does them.
  generateClientToken: async (options) => (await client.client.webPubSub.generateClientToken(hub, options)).token,
  health: async () => void (await client.client.healthApi.getServiceStatus()),

  // The filter of a template that is given in pieces, as a tag gets it.
  filter: async (pieces, ...values) => odata(pieces, ...values),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, args } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: await operations[op](...args) }));
  } catch ({ statusCode, code, details, message }) {
    console.log(JSON.stringify({ error: { statusCode, code: details?.code ?? code, message } }));
  }
}
