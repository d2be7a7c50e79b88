import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Texts of all files below a folder, by their paths from it. */
export async function filesBelow(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.slice(root.length + 1)] = await readFile(path, "utf8");
  }
  return files;
}
