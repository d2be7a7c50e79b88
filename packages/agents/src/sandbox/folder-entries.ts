import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { isReservedName, type LayerEntry } from "@tracemill/core/workspace/layer.ts";

/**
 * What is below a folder of this machine, sorted, with permission bits; the folder itself is not among it.
 * @throws TracemillError `invalid-input` for what is no file, folder or link, and for names that a layer cannot have.
 */
export async function* folderEntries(dir: string, below = ""): AsyncGenerator<LayerEntry> {
  for (const name of (await readdir(join(dir, below))).sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const file = join(dir, path);
    if (isReservedName(name))
      throw new TracemillError("invalid-input", `${file}: a name that begins with .wh.`);
    const stats = await lstat(file);
    const mode = stats.mode & 0o777;
    if (stats.isSymbolicLink()) yield { type: "symlink", path, target: await readlink(file) };
    else if (stats.isFile())
      yield {
        type: "file",
        path,
        mode,
        size: stats.size,
        body: createReadStream(file, { highWaterMark: 2 ** 20 }),
      };
    else if (stats.isDirectory()) {
      yield { type: "directory", path, mode };
      yield* folderEntries(dir, path);
    } else throw new TracemillError("invalid-input", `${file}: neither a file, a folder nor a link`);
  }
}
