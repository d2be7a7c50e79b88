import { isReservedName } from "@tracemill/core/workspace/layer.ts";
import type { Listed, Listing } from "./listing.ts";

/** One line of what a box changed, in the order of a layer. Paths are UTF-8 here. */
export type Change =
  | { type: "whiteout"; path: string }
  | { type: "directory" | "file" | "symlink"; path: string; entry: Listed };

/**
 * What differs between two listings, sorted by path component. A folder is told before its first change, and where
 * something else had its name before. Sockets, FIFOs and devices are left out, and so are names that are no UTF-8 or
 * that a layer would take for a deletion.
 */
export function changesBetween(base: Listing, now: Listing, isKept: (path: string) => boolean): Change[] {
  const kept = (path: string): boolean => isKept(path) && hasPlainNames(path);
  const found = new Map<string, Change[]>();
  for (const [path, entry] of now) {
    const before = base.get(path);
    if (isChanged(before, entry) && kept(path)) found.set(path, tell(path, before, entry));
  }
  for (const path of base.keys()) {
    if (!now.has(path) && isFolder(now, parentOf(path)) && kept(path))
      found.set(path, [{ type: "whiteout", path: textOf(path) }]);
  }
  addFolders(found, now);
  return [...found.keys()].sort(byComponent).flatMap((path) => found.get(path) ?? []);
}

function isChanged(before: Listed | undefined, { kind, stamp, target }: Listed): boolean {
  if (kind === "other") return false;
  return before === undefined || before.stamp !== stamp || before.target !== target;
}

function tell(path: string, before: Listed | undefined, entry: Listed): Change[] {
  if (entry.kind === "other") return [];
  const change: Change = { type: entry.kind, path: textOf(path), entry };
  const stoodFor = entry.kind === "directory" && before !== undefined && before.kind !== "directory";
  return stoodFor ? [{ type: "whiteout", path: change.path }, change] : [change];
}

function addFolders(found: Map<string, Change[]>, now: Listing): void {
  for (const path of [...found.keys()]) {
    for (let folder = parentOf(path); folder !== "" && !found.has(folder); folder = parentOf(folder)) {
      const entry = now.get(folder);
      if (entry !== undefined) found.set(folder, [{ type: "directory", path: textOf(folder), entry }]);
    }
  }
}

function isFolder(listing: Listing, path: string): boolean {
  return path === "" || listing.get(path)?.kind === "directory";
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function textOf(path: string): string {
  return Buffer.from(path, "latin1").toString("utf8");
}

function hasPlainNames(path: string): boolean {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) && !text.split("/").some(isReservedName);
}

/** A slash sorts before every other byte, so that what is in a folder follows it at once. */
function byComponent(a: string, b: string): number {
  const [left, right] = [a.replaceAll("/", "\0"), b.replaceAll("/", "\0")];
  return left < right ? -1 : 1;
}
