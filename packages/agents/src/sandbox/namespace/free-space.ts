import { statfsSync } from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";

/** Enough for what a small task writes: with less, a full disk would look like a failing agent. */
const reserveBytes = 64 * 1024 ** 2;

/** @throws TracemillError `storage-full`, which stops a run instead of ending an attempt badly. */
export function assertFreeSpace(dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  if (free >= reserveBytes) return;
  throw new TracemillError(
    "storage-full",
    `${dir}: the disk is full: ${Math.floor(free / 1024 ** 2)} MiB are free, and a sandbox wants 64; free some space, or set TRACEMILL_HOME to a folder on a larger disk`,
  );
}
