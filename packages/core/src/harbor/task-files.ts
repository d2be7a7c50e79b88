import ignore from "ignore";
import { sha256Hex } from "../ids.ts";

/** A file of a task, held in memory. */
export interface TaskFile {
  /** POSIX path relative to the task's folder. */
  path: string;
  content: Uint8Array;
  /** Permission bits. */
  mode: number;
}

const ROOT_FILES = new Set(["task.toml", "instruction.md", "README.md", "trajectory.json"]);
const BESIDE = new Set([".gitignore", "scenario.json"]);
const FOLDERS = ["environment/", "tests/", "solution/", "steps/"];
/** Harbor's, used when the task brings no `.gitignore` of its own. */
const DEFAULT_IGNORES = ["__pycache__/", "*.pyc", ".DS_Store", "*.swp", "*.swo", "*~"];

/** Compares strings by code point, as Python sorts them; JavaScript's own order is by UTF-16 unit. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Whether a path may belong to a task, or to the choice of what belongs to it; folders end with `/`. */
export function isTaskPath(path: string): boolean {
  return BESIDE.has(path) || isPackaged(path);
}

function isPackaged(path: string): boolean {
  return ROOT_FILES.has(path) || FOLDERS.some((folder) => path.startsWith(folder));
}

/**
 * The files that belong to a Harbor task's package, sorted by path: the four known files of the root and
 * everything below `environment/`, `tests/`, `solution/`, `steps/`, less what the task's `.gitignore` (else
 * Harbor's default list) names.
 */
export function packagedFiles(files: readonly TaskFile[]): TaskFile[] {
  const isIgnored = ignoreRules(files);
  return files
    .filter(({ path }) => isPackaged(path))
    .filter(({ path }) => !isIgnored(path))
    .toSorted((a, b) => byCodePoint(a.path, b.path));
}

/**
 * Harbor's content hash of a task folder: 64 hex digits over the packaged files' paths and contents. File
 * modes, file times and whatever is not packaged do not count.
 */
export function contentHash(files: readonly TaskFile[]): string {
  return hashFiles(packagedFiles(files));
}

/** SHA-256 over `path NUL sha256(content) LF` of exactly these files, in path order: 64 hex digits. */
export function hashFiles(files: readonly TaskFile[]): string {
  const lines = files
    .toSorted((a, b) => byCodePoint(a.path, b.path))
    .map(({ path, content }) => `${path}\0${sha256Hex(content)}\n`);
  return sha256Hex(lines.join(""));
}

export interface DatasetContents {
  /** Content hashes of the tasks: 64 hex digits, with or without `sha256:`. */
  tasks: readonly string[];
  /** Files beside the tasks, with their own SHA-256. */
  files?: readonly { path: string; digest: string }[];
}

/** Harbor's hash of a dataset manifest: 64 hex digits, whatever the order of tasks and files. */
export function datasetHash({ tasks, files = [] }: DatasetContents): string {
  const digests = tasks.map(hexOf).toSorted(byCodePoint).join(",");
  if (files.length === 0) return sha256Hex(digests);
  const entries = files.map(({ path, digest }) => `${path}:${hexOf(digest)}`).toSorted(byCodePoint);
  return sha256Hex(`${digests};${entries.join(",")}`);
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

/**
 * Harbor's rules (Python's pathspec 1.x), which differ from git's in two ways. The last matching line decides,
 * so that a `!` line brings a file back even from a folder that an earlier line names. And `folder/*` names the
 * entries of the folder themselves, not what lies in its subfolders.
 */
function ignoreRules(files: readonly TaskFile[]): (path: string) => boolean {
  const own = files.find(({ path }) => path === ".gitignore");
  const lines = own === undefined ? DEFAULT_IGNORES : new TextDecoder().decode(own.content).split(/\r?\n/);
  const rules = lines
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => ({ ignored: !line.startsWith("!"), matches: matcher(line.replace(/^!/, "")) }))
    .toReversed();
  return (path) => rules.find(({ matches }) => matches(path))?.ignored ?? false;
}

function matcher(pattern: string): (path: string) => boolean {
  const rule = ignore({ ignorecase: false }).add(pattern);
  const isShallow = /(?<!\*\*)\/\*\s*$/.test(pattern);
  return (path) => {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    return rule.ignores(path) && !(isShallow && folder !== "" && rule.ignores(folder));
  };
}
