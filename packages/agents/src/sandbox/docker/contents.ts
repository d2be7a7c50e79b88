import type { SandboxFile } from "@tracemill/core/ports/sandbox.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";

/** The files of a running container, seen from outside. Errors are those of the sandbox's methods. */
export interface Contents {
  write(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void>;
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  remove(paths: readonly string[]): Promise<void>;
  /** @param exclude absolute path prefixes to leave out. */
  changes(exclude: readonly string[]): AsyncIterable<LayerEntry>;
  /** Lays the entries of a workspace over the files. */
  apply(entries: AsyncIterable<LayerEntry>): Promise<void>;
  /** Ends the view; the container stays. Safe to call twice. */
  close(): void;
}
