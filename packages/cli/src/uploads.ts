import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { SolutionFile } from "@tracemill/core/production/writes.ts";
import type { LocalHome } from "./context.ts";

/** Files on their way to an API: read from disk as they are sent, never whole in memory. */
export interface Uploads extends AsyncDisposable {
  files: readonly SolutionFile[];
}

/**
 * @param paths files that the user named; `-` is standard input.
 * @param keys objects of the store.
 * @throws TracemillError `invalid-input`, naming the file; `not-found`, naming the key.
 */
export async function openUploads(
  { paths, keys }: { paths: readonly string[]; keys: readonly string[] },
  home: LocalHome,
): Promise<Uploads> {
  const spool = await mkdtemp(join(home.dir, "upload-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(spool, { recursive: true, force: true }));
  const files: SolutionFile[] = [];
  for (const path of paths) {
    const file = path === "-" ? await spooled(process.stdin, join(spool, "stdin")) : path;
    files.push(await fileAt(file, path === "-" ? "artifact" : basename(path)));
  }
  for (const key of keys) {
    const stored = await home.objects.get(key);
    if (stored === undefined) throw new TracemillError("not-found", `${key} is missing; copy it back`);
    files.push(await fileAt(await spooled(stored, join(spool, String(files.length))), basename(key)));
  }
  const owned = stack.move();
  return { files, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function spooled(stream: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  await writeFile(path, stream);
  return path;
}

async function fileAt(path: string, name: string): Promise<SolutionFile> {
  try {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return { field: "artifact", name, blob: await openAsBlob(path), sha256: hash.digest("hex") };
  } catch (error) {
    throw new TracemillError("invalid-input", `${path}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
