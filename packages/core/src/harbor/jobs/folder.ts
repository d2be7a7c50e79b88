import type { TaskFile } from "../task-files.ts";

/** A Harbor job folder to read, wherever it is. Links are never followed. */
export interface JobFolder {
  /** The folder's own name, which is the job's. */
  name: string;
  /** As the user may find it. */
  path: string;
  /** A file of the job; `undefined` when it is not there. @throws TracemillError `invalid-input` when larger. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** The trial folders, in order of their names. */
  trials(): AsyncIterable<TrialFolder>;
}

export interface TrialFolder {
  name: string;
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Everything below it but folders, in order of path; the empty path is no entry. */
  entries(): AsyncIterable<FolderEntry>;
}

/** `other`: a link, a pipe, a socket or a device. */
export type FolderEntry =
  | { kind: "file"; path: string; size: number; mode: number; open(): AsyncIterable<Uint8Array> }
  | { kind: "other"; path: string };

/** The files of a task's folder; `undefined` when there is no such folder here, or it cannot be read as a task. */
export type ReadTaskFiles = (path: string) => Promise<TaskFile[] | undefined>;

/** A file of a trial folder that is to be written. A stream is read before the next file is asked for. */
export interface WrittenFile {
  /** Relative to the trial folder. */
  path: string;
  body: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** A Harbor job folder to write: new, or begun by an earlier call for the same job. */
export interface WritableJob {
  /** The `result.json` of a trial folder that is whole; `undefined` when there is none. */
  currentTrial(name: string): Promise<string | undefined>;
  /** Writes a trial folder whole, or not at all, in the place of one that is there. */
  writeTrial(name: string, files: AsyncIterable<WrittenFile>): Promise<void>;
  /** Writes a file of the job itself, whole or not at all. */
  writeFile(name: string, body: string | AsyncIterable<string>): Promise<void>;
}
