// A client on the TypeScript SDKs: takes stock of a server, makes some calls, prints what it got as JSON.
//
//   node sdk_client.mjs NODE_MODULES MODE PLAN.json -- COMMAND…
//
// MODE: v1 (@modelcontextprotocol/sdk, the initialize handshake), legacy (@modelcontextprotocol/client, the handshake)
// or a stateless revision (@modelcontextprotocol/client pinned to it, 2026-07-28).
// PLAN.json and what is printed: as in sdk_client.py.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [nodeModules, mode, planFile, dashes, command, ...args] = process.argv.slice(2);
if (dashes !== "--") throw new Error("usage: see the head of this file");
const require = createRequire(nodeModules + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

async function connect() {
  const info = { name: "sdk-driver", version: "1" };
  const sdk = mode === "v1";
  const base = sdk ? "@modelcontextprotocol/sdk/client" : "@modelcontextprotocol/client";
  const { Client } = await load(sdk ? `${base}/index.js` : base);
  const { StdioClientTransport } = await load(sdk ? `${base}/stdio.js` : `${base}/stdio`);
  const negotiation = mode === "legacy" ? "legacy" : { pin: mode };
  const client = new Client(info, sdk ? {} : { versionNegotiation: { mode: negotiation } });
  const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" });
  await client.connect(transport);
  return client;
}

async function outcome(promise) {
  try {
    return await promise;
  } catch (error) {
    if (typeof error.code !== "number") throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

async function listed(page, field) {
  const items = [];
  let cursor;
  do {
    const result = await outcome(page(cursor === undefined ? {} : { cursor }));
    if (result.error) return result;
    items.push(...result[field]);
    cursor = result.nextCursor;
  } while (cursor !== undefined);
  return items;
}

async function each(things, act) {
  const results = [];
  for (const thing of things ?? []) results.push(await outcome(act(thing)));
  return results;
}

const plan = JSON.parse(await readFile(planFile, "utf8"));
const client = await connect();
const has = client.getServerCapabilities() ?? {};
const result = {
  protocol: client.getNegotiatedProtocolVersion?.() ?? null,
  server: client.getServerVersion()?.name ?? null,
  tools: await listed((page) => client.listTools(page), "tools"),
  prompts: has.prompts ? await listed((page) => client.listPrompts(page), "prompts") : [],
  resources: has.resources ? await listed((page) => client.listResources(page), "resources") : [],
  calls: await each(plan.calls, (call) => client.callTool({ name: call.tool, arguments: call.arguments ?? {} })),
  got_prompts: await each(plan.prompts, (prompt) => client.getPrompt(prompt)),
  read: await each(plan.resources, (uri) => client.readResource({ uri })),
};
await client.close();
console.log(JSON.stringify(result));
