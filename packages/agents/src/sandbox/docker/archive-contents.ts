import type Docker from "dockerode";
import { applyWorkspaceIn } from "./apply.ts";
import { statPath, unpackIn } from "./archive.ts";
import type { BaseView } from "./base-view.ts";
import { changesOf } from "./changes.ts";
import type { Contents } from "./contents.ts";
import { emptyScript } from "./exec-scripts.ts";
import { readFileIn, writeFilesIn } from "./files.ts";
import { fitting, type WorkspaceLimits } from "./room.ts";

export interface ArchiveOptions {
  container: Docker.Container;
  base: BaseView;
  limits: WorkspaceLimits;
  /** Runs a tool of the image as root. @throws TracemillError `sandbox-failed` when it fails. */
  runOwn(doing: string, command: readonly string[]): Promise<void>;
}

/** A container's files by the engine's archives: for any engine, wherever it is. */
export function archiveContents({ container, base, limits, runOwn }: ArchiveOptions): Contents {
  const remove = async (paths: readonly string[]): Promise<void> => {
    // The root, and what ends in a dot, would be more than was meant.
    const some = paths.filter((path) => !/(^|\/)\.{0,2}\/*$/.test(path));
    if (some.length > 0) await runOwn("deleting files", ["rm", "-rf", "--", ...some]);
  };
  const empty = async (folders: readonly { path: string; kept: readonly string[] }[]): Promise<void> => {
    for (const { path, kept } of folders)
      await runOwn("emptying a folder", ["/bin/sh", "-c", emptyScript, "empty", path, ...kept]);
  };
  const kindOf = async (path: string) => (await statPath(container, path))?.kind;
  const unpack = (entries: Parameters<typeof unpackIn>[1]) => unpackIn(container, entries);
  return {
    write: (files) => writeFilesIn(container, files),
    read: (path, maxBytes) => readFileIn(container, path, maxBytes),
    remove,
    changes: (exclude) => fitting(changesOf({ container, base, exclude }), limits),
    apply: (entries) => applyWorkspaceIn({ kindOf, unpack, remove, empty }, entries),
    close: () => undefined,
  };
}
