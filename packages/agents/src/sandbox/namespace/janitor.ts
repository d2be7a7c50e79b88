import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isCode } from "./open-folder.ts";
import { isAlive, ownIdentity } from "./process-identity.ts";

const ownerFile = "owner";
/** A folder without an owner is one whose maker died in its first moments, or has not written it yet. */
const ownerlessMs = 600_000;

/** Makes a sandbox's folder, for nobody but us: what is in it may have set-user-ID bits. */
export function makeOwned(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, ownerFile), ownIdentity());
}

/** Removes what sandboxes of dead processes have left behind in `dir`. */
export function removeAbandoned(dir: string): void {
  for (const folder of abandonedIn(dir)) removeFolder(folder);
}

/** The folders of sandboxes in `dir` whose processes are dead. */
export function abandonedIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .map((id) => join(dir, id))
    .filter((folder) => !isOwned(folder));
}

function isOwned(folder: string): boolean {
  let owner: string;
  try {
    owner = readFileSync(join(folder, ownerFile), "utf8");
  } catch {
    const stats = statSync(folder, { throwIfNoEntry: false });
    return stats === undefined || Date.now() - stats.mtimeMs < ownerlessMs;
  }
  return isAlive(owner);
}

/** Removes a folder of a sandbox that has ended. Folders that its owner may not enter (overlay makes such) too. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (!isCode(error, "EACCES", "EPERM", "ENOTEMPTY")) throw error;
    openUp(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function openUp(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) openUp(join(folder, entry.name));
  }
}
