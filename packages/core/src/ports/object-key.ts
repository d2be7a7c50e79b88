import { TracemillError } from "../errors.ts";

/** Folder for files under construction, inside a store's own directory so that link and rename are atomic. */
export const tempFolder = ".tmp";

/** What S3 allows for a whole key, and what Linux file systems allow for one part, in UTF-8 bytes. */
const maxKeyBytes = 1_024;
const maxSegmentBytes = 255;

/**
 * Refuses keys that are not the same in every home.
 * @throws TracemillError `invalid-input`.
 */
export function assertObjectKey(key: string): void {
  const problem = problemOfPath(key) ?? key.split("/").map(problemOfSegment).find(Boolean);
  if (problem !== undefined) refuse("key", key, problem);
}

/** Like `assertObjectKey`, for the start of a key: its last part may be unfinished or empty. */
export function assertKeyPrefix(prefix: string): void {
  const segments = prefix.split("/").slice(0, -1);
  const problem =
    prefix === "" ? undefined : (problemOfPath(prefix) ?? segments.map(problemOfSegment).find(Boolean));
  if (problem !== undefined) refuse("key prefix", prefix, problem);
}

function refuse(what: string, key: string, problem: string): never {
  throw new TracemillError("invalid-input", `object ${what} ${JSON.stringify(key)}: ${problem}`);
}

function problemOfPath(key: string): string | undefined {
  if (key === "") return "is empty";
  if (key.startsWith("/")) return "starts with `/`; keys are relative";
  if (key.includes("\0")) return "holds a NUL character";
  if (!key.isWellFormed()) return "holds half of a surrogate pair, which UTF-8 cannot express";
  if (Buffer.byteLength(key) > maxKeyBytes) return `is longer than ${maxKeyBytes} bytes`;
  if (key.split("/", 1)[0]?.toLowerCase() === tempFolder)
    return `\`${tempFolder}\` is the store's own folder`;
  return undefined;
}

function problemOfSegment(segment: string): string | undefined {
  if (segment === "") return "has an empty part (`//`, or a `/` at its end)";
  if (segment === "." || segment === "..") return `has the part \`${segment}\``;
  const bytes = Buffer.byteLength(segment);
  if (bytes > maxSegmentBytes) return `has a part of ${bytes} bytes; ${maxSegmentBytes} are allowed`;
  return undefined;
}

/** Ascending UTF-8 byte order, which is code point order; `<` on strings differs from it beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return byteRank(left) - byteRank(right);
  }
  return a.length - b.length;
}

/** Puts surrogates (code points beyond U+FFFF) above the rest of the code units. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10_000 : unit;
}
