import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { removeFolder } from "./janitor.ts";
import { isCode } from "./open-folder.ts";

/** A layer of a built environment, as it lies in the cache. */
export interface CachedLayer {
  path: string;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

/** A layer that was found for a sandbox is mounted by it a moment later. */
const mountingMs = 60_000;

/** Where layers are kept below the cache's folder. */
export function layersFolder(cacheDir: string): string {
  return join(cacheDir, "layers");
}

/**
 * Marks a layer as used now: the time of its folder, which no sandbox sees.
 * @returns whether the layer is there.
 */
export function markUsed(path: string): boolean {
  try {
    utimesSync(path, new Date(), new Date());
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    // A cache that another user has filled can be used all the same.
    if (isCode(error, "EPERM", "EACCES", "EROFS")) return existsSync(path);
    throw error;
  }
}

/** Layers that were last used before this time and that no sandbox of any process has mounted, oldest first. */
export function unusedLayers(cacheDir: string, before: number): CachedLayer[] {
  return unusedFolders(layersFolder(cacheDir), before);
}

/** What is in a folder, by the same rule. */
export function unusedFolders(folder: string, before: number): CachedLayer[] {
  if (!existsSync(folder)) return [];
  const mounts = mountsOfAll();
  return readdirSync(folder)
    .map((name) => ({ path: join(folder, name), usedAt: statSync(join(folder, name)).mtimeMs }))
    .filter(({ usedAt }) => usedAt < Math.min(before, Date.now() - mountingMs))
    .filter(({ path }) => !mounts.some((text) => text.includes(path)))
    .toSorted((a, b) => a.usedAt - b.usedAt);
}

/** Removes a layer. It disappears at once, so that nobody finds half of it. */
export function removeLayer({ path }: CachedLayer): void {
  const gone = `${path}.${randomBytes(4).toString("hex")}`;
  renameSync(path, gone);
  removeFolder(gone);
}

/** What every process that we may look at has mounted; overlays name their layers there. */
function mountsOfAll(): string[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const texts = all.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/mountinfo`, "utf8").replaceAll("\\040", " ");
    } catch {
      return "";
    }
  });
  return [...new Set(texts)].filter((text) => text.includes("overlay"));
}
