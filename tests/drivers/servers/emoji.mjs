// An MCP server that cuts text without looking, as real ones do: between the two halves of a surrogate pair, or
// between the bytes of a character.
import { createInterface } from "node:readline";

const fox = "🦊";
const answer = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\n");
const text = (text) => ({ content: [{ type: "text", text }] });

function call(id, name) {
  if (name === "half-pair") {
    // JSON.stringify writes a lone surrogate as the escape \ud83e.
    answer(id, text("a fox: " + fox.slice(0, 1)));
  } else if (name === "half-bytes") {
    const line = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, result: text("a fox: " + fox) }));
    const at = line.indexOf(Buffer.from(fox));
    process.stdout.write(Buffer.concat([line.subarray(0, at + 2), line.subarray(at + 4), Buffer.from("\n")]));
  } else {
    answer(id, text("a fox: " + fox));
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === "initialize") {
    const serverInfo = { name: "emoji", version: "1" };
    answer(id, { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo });
  } else if (method === "tools/call") {
    call(id, params.name);
  } else {
    answer(id, {});
  }
});
