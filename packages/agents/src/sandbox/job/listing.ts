import { constants } from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";
import { notListed } from "./list-script.ts";

/** One entry of a listing. Paths and targets are byte strings (latin1), so that they compare as bytes. */
export interface Listed {
  kind: "file" | "directory" | "symlink" | "other";
  /** Permission bits. */
  mode: number;
  size: number;
  /** Changes with whatever a layer would keep of the entry. */
  stamp: string;
  target?: string;
}

/** Entries by absolute path without the slash at its start; the root itself is not among them. */
export type Listing = Map<string, Listed>;

/** More than any image has. A listing is held in memory. */
const maxEntries = 3_000_000;

const { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants;
const kinds = new Map<number, Listed["kind"]>([
  [S_IFDIR, "directory"],
  [S_IFREG, "file"],
  [S_IFLNK, "symlink"],
]);

const header = /^(!?)([0-9a-f]{1,8})\|(\d{1,16})\|([^|]{1,48})\|([^|]{1,48})(?:\|(.*))?$/s;

/**
 * Reads what `listScript` writes.
 * @throws TracemillError `sandbox-failed` when it is none, or too long.
 */
export function parseListing(bytes: Buffer): Listing {
  const listing: Listing = new Map();
  let last: { name: string; entry: Listed } | undefined;
  for (let at = 0; at < bytes.length; ) {
    const end = endOf(bytes, at, 0x0a);
    const line = bytes.toString("latin1", at, end);
    at = end + 1;
    const match = header.exec(line);
    if (match === null || (match[1] === "" && match[6] === undefined)) {
      // A link's own line follows it; a target may go on over several.
      if (last?.entry.kind === "symlink") addTarget(last, line);
      continue;
    }
    let name = match[6] ?? "";
    if (match[1] === "!") {
      const stop = endOf(bytes, at, 0);
      name = bytes.toString("latin1", at, stop);
      at = stop + 1;
    }
    last = { name, entry: entryOf(match) };
    if (isListed(name)) listing.set(name.slice(1), last.entry);
    if (listing.size > maxEntries)
      throw new TracemillError("sandbox-failed", `the box holds more than ${maxEntries} files`);
  }
  return listing;
}

function endOf(bytes: Buffer, from: number, byte: number): number {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
}

function isListed(name: string): boolean {
  const [, first] = name.split("/", 2);
  return name.startsWith("/") && name.length > 1 && !notListed.includes(first ?? "");
}

function entryOf([, , rawMode = "", size = "", changed, status]: RegExpExecArray): Listed {
  const mode = Number.parseInt(rawMode, 16);
  const kind = kinds.get(mode & S_IFMT) ?? "other";
  // A folder's times and size change with what is in it.
  const stamp = kind === "directory" ? rawMode : `${rawMode}|${size}|${changed}|${status}`;
  return { kind, mode: mode & 0o7777, size: Number(size), stamp };
}

/** `%N` of stat: `name -> target`, in busybox each of them between quotes. */
function addTarget({ name, entry }: { name: string; entry: Listed }, line: string): void {
  const plain = `${name} -> `;
  const inQuotes = `'${name}' -> '`;
  if (entry.target !== undefined) entry.target += `\n${line}`;
  else if (line.startsWith(plain)) entry.target = line.slice(plain.length);
  else if (line.startsWith(inQuotes)) entry.target = line.slice(inQuotes.length).replace(/'$/, "");
}
