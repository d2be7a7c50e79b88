import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDir {
  path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A new empty directory, removed with all that is in it at the end of the scope: `await using dir = …`. */
export async function tempDir(prefix = "tracemill-"): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
