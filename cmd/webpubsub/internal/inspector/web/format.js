// @ts-check
// Numbers, times and names, as the panel writes them.

const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, "0");

/** The time of day of an ISO time, with milliseconds: "02:09:41.123". @param {string} iso */
export function clock(iso) {
  const t = new Date(iso);
  if (Number.isNaN(t.getTime())) return "";
  return `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}.${pad(t.getMilliseconds(), 3)}`;
}

/** A duration with three digits at most: "0.33 ms", "12 ms", "9.0 s". @param {number} ms */
export function duration(ms) {
  if (ms < 0.995) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 1000)} s`;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return count(bytes, "byte");
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

const grouped = new Intl.NumberFormat("en");

/**
 * A number with its noun: "1 call", "1,234 calls", "2 people".
 *
 * @param {number} n
 * @param {string} one
 * @param {string} many
 */
export const count = (n, one, many = `${one}s`) => `${grouped.format(n)} ${n === 1 ? one : many}`;

/** @param {number} n */
export const number = (n) => grouped.format(n);

/** The beginning of a connection id, as the terminal shows it too. @param {string} id */
export function shortID(id) {
  return id.length > 8 ? `#${id.slice(0, 8)}` : `#${id}`;
}

const OPENING = /^[{[]$/;
const CLOSING = /^[}\]]$/;
const DEEPEST = 40; // steps of indentation: ten thousand brackets must not fill the memory with spaces

/**
 * Indents JSON without reading its values: a number with thirty digits and a
 * name that occurs twice stay as they were on the wire. The pieces are what a
 * viewer may colour.
 *
 * @param {string} text valid JSON
 * @returns {{text: string, kind: "name" | "string" | "other"}[]}
 */
export function indentJSON(text) {
  const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  /** @type {{text: string, kind: "name" | "string" | "other"}[]} */
  const pieces = [];
  /** @type {boolean[]} of each bracket that is open: whether it has lines of its own */
  const lines = [];
  let space = ""; // what stands before the next token
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(Math.min(depth, DEEPEST))}`;
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    let kind = /** @type {"name" | "string" | "other"} */ ("other");
    let after = "";
    if (OPENING.test(token)) {
      // What is empty, and the only value of an array, needs no lines.
      const own = !CLOSING.test(next) && !(token === "[" && tokens[i + 2] === "]");
      lines.push(own);
      if (own) depth++;
      after = own ? newLine() : "";
    } else if (CLOSING.test(token)) {
      const own = lines.pop();
      if (own) depth--;
      space = own ? newLine() : "";
    } else if (token === ",") {
      after = newLine();
    } else if (token === ":") {
      after = " ";
    } else if (token.startsWith('"')) {
      kind = next === ":" ? "name" : "string";
    }
    pieces.push({ text: space + token, kind });
    space = after;
  });
  return pieces;
}

/** The classic view of bytes, sixteen to a line. @param {Uint8Array} bytes */
export function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((b) => (b > 31 && b < 127 ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}
