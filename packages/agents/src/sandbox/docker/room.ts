import { TracemillError } from "@tracemill/core/errors.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";

/** Most that a workspace may come to. */
export interface WorkspaceLimits {
  /** Of one file. */
  maxFileBytes: number;
  /** Of all of them. */
  maxBytes: number;
  /** Of files, folders and links. Default: 3,000,000. */
  maxEntries?: number;
}

/** More than any honest workspace has; each takes 512 bytes of a tar at least. */
const mostEntries = 3_000_000;

/** Counts what a workspace takes, by the sizes that its files claim: a sparse file of 1 TB is 1 TB of zeros in a tar. */
class Room {
  readonly #limits: WorkspaceLimits;
  #bytes = 0;
  #entries = 0;

  constructor(limits: WorkspaceLimits) {
    this.#limits = limits;
  }

  /** @throws TracemillError `sandbox-failed` when it does not fit. */
  take(path: string, size: number): void {
    this.#bytes += size;
    this.#entries += 1;
    const { maxFileBytes, maxBytes, maxEntries = mostEntries } = this.#limits;
    if (this.#entries > maxEntries) {
      const message = `the workspace is too large: it has more than ${maxEntries} files and folders`;
      throw new TracemillError("sandbox-failed", message);
    }
    if (size <= maxFileBytes && this.#bytes <= maxBytes) return;
    const limit = size > maxFileBytes ? maxFileBytes : maxBytes;
    throw new TracemillError(
      "sandbox-failed",
      `the workspace is too large: /${path} goes over ${limit} bytes`,
    );
  }
}

/** The same entries, as long as they fit. */
export async function* fitting(
  entries: AsyncIterable<LayerEntry>,
  limits: WorkspaceLimits,
): AsyncGenerator<LayerEntry> {
  const room = new Room(limits);
  for await (const entry of entries) {
    room.take(entry.path, entry.type === "file" ? entry.size : 0);
    yield entry;
  }
}
