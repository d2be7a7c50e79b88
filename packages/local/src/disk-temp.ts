import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { diskError, hasErrno } from "./disk.ts";

/** A file that no process has touched for this long belongs to none; a slow upload writes more often. */
const leftoverAgeMs = 60 * 60 * 1_000;

/** Tells apart the stores that one process opens, and processes that share a pid across machines. */
const processTag = `${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
let count = 0;

/** A file name that no other process and no other call uses. */
export function tempName(): string {
  count += 1;
  return `${processTag}-${count}`;
}

/** Removes what killed processes left under construction. Files of live processes stay, whatever their age. */
export function cleanLeftovers(folder: string): void {
  for (const path of leftoversIn(folder))
    unlessOthersClean(path, () => rmSync(path, { recursive: true, force: true }));
}

/** What killed processes left under construction more than an hour ago. */
export function leftoversIn(folder: string): string[] {
  const dead = namesIn(folder).filter(
    (name) => !isAlive(Number(name.replace(/^scratch-/, "").split("-", 1)[0])),
  );
  return dead
    .map((name) => join(folder, name))
    .filter(
      (path) => unlessOthersClean(path, () => Date.now() - statSync(path).mtimeMs > leftoverAgeMs) ?? false,
    );
}

/** Another process may be cleaning too; a read-only store is cleaned by whoever may write to it. */
function unlessOthersClean<T>(path: string, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EROFS", "EACCES", "EPERM")) return undefined;
    throw diskError(error, path);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES")) return [];
    throw diskError(error, folder);
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasErrno(error, "EPERM");
  }
}
