import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layersFolder, markUsed } from "./layer-cache.ts";
import { opaqueFile } from "./lower-view.ts";
import { rootName } from "./mounts.ts";

/** Where this machine looks names up; a sandbox without its network has no use for them. */
const files = ["resolv.conf", "hosts"];

/** A layer that lets a sandbox with this machine's network find the hosts that the machine finds. */
export function networkLayer(cacheDir: string): string {
  const texts = files.map((name) => readText(`/etc/${name}`));
  const hash = createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 16);
  const dir = join(layersFolder(cacheDir), `network-${hash}`);
  if (markUsed(dir)) return dir;
  const building = `${dir}.${randomBytes(4).toString("hex")}`;
  const etc = join(building, rootName, "etc");
  mkdirSync(etc, { recursive: true });
  for (const [index, name] of files.entries()) writeFileSync(join(etc, name), texts[index] ?? "");
  writeFileSync(join(building, opaqueFile), "{}");
  try {
    renameSync(building, dir);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
  return dir;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
