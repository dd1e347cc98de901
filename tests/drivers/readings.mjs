// How Node reads JSON lines: one canonical text a line, or null where it cannot. As readings.py.
import { readFileSync } from "node:fs";

const hex = (bytes) => Buffer.from(bytes).toString("hex");

function canonical(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setFloat64(0, value);
    return hex(bytes.buffer);
  }
  if (typeof value === "string") return `"${hex(Buffer.from(value, "utf16le").swap16())}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.entries(value).map(([key, member]) => [canonical(key), canonical(member)]);
  members.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  return `{${members.map(([key, member]) => `${key}:${member}`).join(",")}}`;
}

function reading(line) {
  try {
    return canonical(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(line, "hex"))));
  } catch {
    return null;
  }
}

console.log(JSON.stringify(readFileSync(process.argv[2], "utf8").split("\n").map(reading)));
