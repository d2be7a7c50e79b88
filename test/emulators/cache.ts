import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Where what emulators need is kept between test runs; `npm ci` empties it. */
const root = fileURLToPath(new URL("../../node_modules/.cache/tracemill/", import.meta.url));

const lockPollMs = 200;

/**
 * A folder that is made once and found from then on, whatever number of processes ask for it at the same time.
 * A maker that was killed leaves a folder without its mark, which the next one makes anew.
 * @param make fills the folder, which is there and empty.
 */
export async function cached(name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(root, name);
  const mark = join(dir, ".complete");
  if (await exists(mark)) return dir;
  await mkdir(root, { recursive: true });
  using _ = await lock(`${dir}.lock`);
  if (await exists(mark)) return dir;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir);
  await make(dir);
  await writeFile(mark, "");
  return dir;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** An exclusive lock that ends with its process: SQLite's, since Node has no `flock`. */
async function lock(path: string): Promise<Disposable> {
  const database = new DatabaseSync(path, { timeout: 0 });
  for (;;) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (!isBusy(error)) throw error;
      await sleep(lockPollMs);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
