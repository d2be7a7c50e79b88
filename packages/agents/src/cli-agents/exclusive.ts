import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 200;

/**
 * An exclusive lock on a file, which ends with its process at the latest: SQLite's, since Node has no `flock`.
 * @throws the signal's reason.
 */
export async function exclusive(path: string, signal: AbortSignal): Promise<Disposable> {
  const database = new DatabaseSync(path, { timeout: 0 });
  for (;;) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (!isBusy(error) || signal.aborted) {
        database.close();
        signal.throwIfAborted();
        throw error;
      }
      await sleep(pollMs);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
