import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layersFolder, markUsed } from "./layer-cache.ts";
import { opaqueFile } from "./lower-view.ts";

/**
 * Finds or makes a layer that no Dockerfile asked for. Whoever is first wins; the other's says the same.
 * @param name tells its content.
 * @param fill makes its content in a new folder: one folder a mount.
 */
export function smallLayer(cacheDir: string, name: string, fill: (layer: string) => void): string {
  const dir = join(layersFolder(cacheDir), name);
  if (markUsed(dir)) return dir;
  const building = `${dir}.${randomBytes(4).toString("hex")}`;
  mkdirSync(building, { recursive: true });
  fill(building);
  writeFileSync(join(building, opaqueFile), "{}");
  try {
    renameSync(building, dir);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
  return dir;
}
