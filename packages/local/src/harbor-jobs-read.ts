import { constants } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type {
  FolderEntry,
  JobFolder,
  ReadTaskFiles,
  TrialFolder,
} from "@tracemill/core/harbor/jobs/folder.ts";
import { byCodePoint } from "@tracemill/core/harbor/task-files.ts";
import { hasErrno, onDiskAsync } from "./disk.ts";
import { readTaskFolder } from "./task-folder.ts";

/**
 * The Harbor job folders that a path stands for: itself when it is one, else those directly inside it, in order of
 * their names. A job folder has a `config.json` or `result.json` of a job, or folders of trials.
 * @throws TracemillError `not-found` when the path is no folder, or holds no job.
 */
export async function findJobFolders(path: string): Promise<JobFolder[]> {
  const root = await folderAt(path);
  if (await isJob(root)) return [jobFolder(root)];
  const jobs: JobFolder[] = [];
  for (const name of await foldersIn(root))
    if (await isJob(join(root, name))) jobs.push(jobFolder(join(root, name)));
  if (jobs.length > 0) return jobs;
  throw new TracemillError(
    "not-found",
    `${resolve(path)}: neither a Harbor job folder nor a folder of them; name the one given to Harbor as --jobs-dir`,
  );
}

/**
 * Reads the task folders that jobs name: as given, else from where Harbor was run, which is two folders above the job
 * unless its `--jobs-dir` said otherwise.
 */
export function taskFilesFor(jobs: readonly Pick<JobFolder, "path">[]): ReadTaskFiles {
  const bases = [...new Set(["", ...jobs.map(({ path }) => resolve(path, "../.."))])];
  return async (path) => {
    for (const base of bases) {
      const dir = resolve(base, path);
      if (!(await isFile(join(dir, "task.toml")))) continue;
      try {
        return await readTaskFolder(dir);
      } catch (error) {
        if (!(error instanceof TracemillError)) throw error;
      }
    }
    return undefined;
  };
}

async function folderAt(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() === true) return realpath(path);
  const problem = info === undefined ? "not there" : "not a folder";
  throw new TracemillError(
    "not-found",
    `${resolve(path)}: ${problem}; name a Harbor job folder, or a folder of them`,
  );
}

/** A trial has files of the same names as a job, but its config names a task; a job holds folders of trials. */
async function isJob(dir: string): Promise<boolean> {
  if (await isTrial(dir)) return false;
  if (await isFile(join(dir, "job.log"))) return true;
  for (const name of await foldersIn(dir)) if (await isTrial(join(dir, name))) return true;
  return false;
}

/** Harbor makes a trial's `agent` folder, or that of its first step, before anything else. */
async function isTrial(dir: string): Promise<boolean> {
  const names = new Set(await readdir(dir));
  const hasDocuments = names.has("config.json") || names.has("result.json");
  return hasDocuments && (names.has("agent") || names.has("steps") || names.has("trial.log"));
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function foldersIn(dir: string): Promise<string[]> {
  const children = await onDiskAsync(dir, () => readdir(dir, { withFileTypes: true }));
  return children
    .filter((child) => child.isDirectory() && !child.name.startsWith("."))
    .map(({ name }) => name)
    .toSorted(byCodePoint);
}

function jobFolder(path: string): JobFolder {
  return {
    name: basename(path),
    path,
    read: (file, maxBytes) => readBelow(path, file, maxBytes),
    async *trials() {
      for (const name of await foldersIn(path))
        if (await holdsTrial(join(path, name))) yield trialFolder(join(path, name));
    },
  };
}

/** Even a trial that was killed at once left its config; other folders, such as a viewer's, have none. */
async function holdsTrial(dir: string): Promise<boolean> {
  return (
    (await isFile(join(dir, "config.json"))) || (await isFile(join(dir, "result.json"))) || isTrialName(dir)
  );
}

function isTrialName(dir: string): boolean {
  return /__[0-9A-Za-z]{7}$/.test(basename(dir));
}

function trialFolder(path: string): TrialFolder {
  return {
    name: basename(path),
    read: (file, maxBytes) => readBelow(path, file, maxBytes),
    entries: () => entriesBelow(path, ""),
  };
}

async function* entriesBelow(root: string, folder: string): AsyncGenerator<FolderEntry> {
  const children = await onDiskAsync(join(root, folder), () =>
    readdir(join(root, folder), { withFileTypes: true }),
  );
  for (const child of children.toSorted((a, b) => byCodePoint(a.name, b.name))) {
    const path = folder === "" ? child.name : `${folder}/${child.name}`;
    if (child.isDirectory()) {
      yield* entriesBelow(root, path);
      continue;
    }
    const info = child.isFile() ? await lstat(join(root, path)).catch(() => undefined) : undefined;
    if (info === undefined) yield { kind: "other", path };
    else
      yield {
        kind: "file",
        path,
        size: info.size,
        mode: info.mode,
        open: () => contentOf(root, path, info.size),
      };
  }
}

/** Exactly as many bytes as the file was said to have. @throws TracemillError `invalid-input` when it has changed. */
async function* contentOf(root: string, path: string, size: number): AsyncGenerator<Uint8Array> {
  await using file = await openPlain(root, path);
  if (file === undefined) throw changed(path);
  let read = 0;
  for await (const chunk of file.createReadStream({ autoClose: false })) {
    read += chunk.length;
    if (read > size) throw changed(path);
    yield chunk;
  }
  if (read < size) throw changed(path);
}

function changed(path: string): TracemillError {
  return new TracemillError("invalid-input", `${path}: changed while it was read; import again later`);
}

/** @throws TracemillError `invalid-input`, naming the file, when it is larger than allowed, a link, or outside. */
async function readBelow(root: string, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  await using file = await openPlain(root, path);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  if (size > maxBytes) throw refused(path, `larger than ${maxBytes} bytes`);
  return file.readFile();
}

/** Opens a plain file without following links, its folders' neither. `undefined` when it is not there. */
async function openPlain(root: string, path: string) {
  const segments = path.split("/");
  if (segments.some((segment) => ["", ".", ".."].includes(segment)))
    throw refused(path, "leads out of the folder");
  try {
    for (const [index] of segments.slice(1).entries()) {
      const folder = await lstat(join(root, ...segments.slice(0, index + 1)));
      if (!folder.isDirectory()) throw refused(path, "its folder is a link");
    }
    // A pipe would wait for a writer.
    const file = await open(
      join(root, path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw refused(path, "no plain file");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    if (hasErrno(error, "ELOOP", "EMLINK")) throw refused(path, "a link");
    if (error instanceof TracemillError) throw error;
    throw refused(path, `cannot be read (${messageOf(error)})`);
  }
}

function refused(path: string, problem: string): TracemillError {
  return new TracemillError("invalid-input", `${path}: ${problem}`);
}
