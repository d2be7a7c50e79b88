import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { TaskFile } from "@tracemill/core/harbor/task-files.ts";

/**
 * Writes a build context into an empty folder of this process's own. Nothing is ever written over, so that no file
 * of the task can stand in another's way.
 * @throws TracemillError `invalid-archive` for a path that leaves the folder, or that is a file and a folder at once.
 */
export async function writeContext(folder: string, files: readonly TaskFile[]): Promise<void> {
  for (const { path, content, mode } of files) {
    const target = resolve(folder, path);
    const inside = relative(folder, target);
    if (inside === "" || inside.startsWith("..") || join(folder, inside) !== target)
      throw refuse(path, "leaves the folder");
    try {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { mode, flag: "wx" });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST" || code === "ENOTDIR") throw refuse(path, "is there twice");
      throw error;
    }
  }
}

function refuse(path: string, why: string): TracemillError {
  return new TracemillError("invalid-archive", `environment/${path}: ${why}`);
}
