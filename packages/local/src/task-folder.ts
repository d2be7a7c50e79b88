import type { Dirent } from "node:fs";
import {
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  realpath,
  rename,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { byCodePoint, isTaskPath, type TaskFile } from "@tracemill/core/harbor/task-files.ts";

/** Not searched for tasks: large, and never holding any. */
const SKIPPED = new Set([".git", "node_modules"]);

/**
 * Reads the files of a task's folder that may belong to the task, sorted by path. A link to a file inside the
 * folder is read as that file.
 * @throws TracemillError `not-found` when the folder is not there; `invalid-task`, naming the path, for a link
 * that leads out of the folder, to nothing or to a folder, and for sockets, pipes and devices.
 */
export async function readTaskFolder(dir: string): Promise<TaskFile[]> {
  const root = await rootOf(dir);
  const files: TaskFile[] = [];
  for await (const name of fileNames(root, "", dir)) {
    const path = join(root, name);
    const { mode } = await stat(path);
    files.push({ path: name, content: await readFile(path), mode: mode & 0o777 });
  }
  return files.toSorted((a, b) => byCodePoint(a.path, b.path));
}

/**
 * The folders at or below `dir` that hold a `task.toml` or a `scenario.json`, in the order of their names. A
 * task's own folders are not searched; links are not followed.
 * @throws TracemillError `not-found` when `dir` is not there.
 */
export async function* findTaskFolders(dir: string): AsyncGenerator<string> {
  await rootOf(dir);
  yield* tasksBelow(dir);
}

/**
 * The tasks at or below `dir`, read.
 * @throws TracemillError `not-found` when there are none; `invalid-task` as `readTaskFolder`.
 */
export async function* taskFoldersUnder(dir: string): AsyncGenerator<{ path: string; files: TaskFile[] }> {
  let found = 0;
  for await (const path of findTaskFolders(dir)) {
    found += 1;
    yield { path, files: await readTaskFolder(path) };
  }
  if (found > 0) return;
  throw new TracemillError("not-found", `${resolve(dir)}: no folder with a task.toml at or below it`);
}

/**
 * Writes files as a new folder: whole, or not at all.
 * @throws TracemillError `conflict` when something is at `dir` that is no empty folder.
 */
export async function writeTaskFolder(dir: string, files: readonly TaskFile[]): Promise<void> {
  const target = resolve(dir);
  await mkdir(dirname(target), { recursive: true });
  await using part = await mkdtempDisposable(join(dirname(target), `.${basename(target)}-`));
  const root = join(part.path, "task");
  await mkdir(root);
  for (const { path, content, mode } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content, { mode });
  }
  await rename(root, target).catch((error: NodeJS.ErrnoException) => {
    if (!["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(error.code ?? "")) throw error;
    const message = `${target}: there is something already; name a folder that is new or empty`;
    throw new TracemillError("conflict", message, { cause: error });
  });
}

async function* tasksBelow(dir: string): AsyncGenerator<string> {
  const children = await readdir(dir, { withFileTypes: true });
  if (children.some(({ name }) => name === "task.toml" || name === "scenario.json")) {
    yield dir;
    return;
  }
  const folders = children.filter((child) => child.isDirectory() && !SKIPPED.has(child.name));
  for (const { name } of folders.toSorted((a, b) => byCodePoint(a.name, b.name))) {
    yield* tasksBelow(join(dir, name));
  }
}

async function rootOf(dir: string): Promise<string> {
  const info = await stat(dir).catch(() => undefined);
  if (info?.isDirectory() === true) return realpath(dir);
  const problem = info === undefined ? "not there" : "not a folder";
  throw new TracemillError("not-found", `${resolve(dir)}: ${problem}; give the folder of a task`);
}

/** The relative names of the files below `root/folder`; `shown` is what the user calls the root. */
async function* fileNames(root: string, folder: string, shown: string): AsyncGenerator<string> {
  for (const child of await readdir(join(root, folder), { withFileTypes: true })) {
    const name = `${folder}${child.name}`;
    if (!isTaskPath(child.isDirectory() ? `${name}/` : name)) continue;
    if (child.isDirectory()) yield* fileNames(root, `${name}/`, shown);
    else {
      await checkFile(root, name, child, join(shown, name));
      yield name;
    }
  }
}

async function checkFile(root: string, name: string, entry: Dirent, shown: string): Promise<void> {
  if (entry.isFile()) return;
  if (!entry.isSymbolicLink()) throw invalid(shown, "neither a file nor a folder; remove it");
  const target = await realpath(join(root, name)).catch(() => undefined);
  if (target === undefined) throw invalid(shown, "a link to nothing; remove it");
  if (relative(root, target).split(sep)[0] === "..") {
    throw invalid(shown, "a link that leads out of the task; put a copy there");
  }
  if (!(await stat(target)).isFile()) throw invalid(shown, "a link to a folder; put a copy there");
}

function invalid(path: string, problem: string): TracemillError {
  return new TracemillError("invalid-task", `${path}: ${problem}`);
}
