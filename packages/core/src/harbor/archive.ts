import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { createTarDecoder, packTar, type TarHeader } from "modern-tar";
import { messageOf, TracemillError } from "../errors.ts";
import { collect, zstd } from "../streams.ts";
import { tarName } from "../tar-name.ts";
import { byCodePoint, type TaskFile } from "./task-files.ts";

export interface UnpackOptions {
  /** Largest size of the unpacked archive, in bytes. Default 512 MiB: a task is held in memory. */
  maxBytes?: number;
  /** Most entries. Default 100,000. */
  maxEntries?: number;
}

const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;
const DEFAULT_MAX_ENTRIES = 100_000;

/**
 * Packs files into a tar, compressed with zstd. The same files give the same bytes: entries are sorted by
 * path, times and owners are 0, a mode is 0755 if anybody may execute the file, else 0644. Empty folders are
 * not kept.
 * @throws TracemillError `invalid-archive` for a path that `unpackTask` would refuse.
 */
export async function packTask(files: readonly TaskFile[]): Promise<Uint8Array> {
  const paths = new PathRegister("task");
  const entries = files
    .toSorted((a, b) => byCodePoint(a.path, b.path))
    .map(({ path, content, mode }) => ({
      header: {
        ...tarName(paths.add(path)),
        size: content.byteLength,
        mode: normalMode(mode),
        mtime: new Date(0),
        uid: 0,
        gid: 0,
        type: "file" as const,
      },
      body: content,
    }));
  return zstd(await packTar(entries));
}

/**
 * Unpacks a tar: plain, gzip or zstd, told apart by its first bytes. Folders are implied by their files.
 * Modes come out as 0755 or 0644. `where` names the archive in errors.
 * @throws TracemillError `invalid-archive`, naming the entry, for a path that is absolute, has `..` or NUL or
 * comes twice, for links and devices, and when the archive is damaged or larger than allowed.
 */
export async function unpackTask(
  bytes: Uint8Array,
  where: string,
  { maxBytes = DEFAULT_MAX_BYTES, maxEntries = DEFAULT_MAX_ENTRIES }: UnpackOptions = {},
): Promise<TaskFile[]> {
  const paths = new PathRegister(where);
  const progress: Progress = { where, entry: "the first entry", entries: 0, maxBytes };
  const files: TaskFile[] = [];
  try {
    const tar = ReadableStream.from(limited(decompressed(bytes), progress));
    for await (const { header, body } of tar.pipeThrough(createTarDecoder({ strict: true }))) {
      progress.entry = `\`${header.name}\``;
      progress.entries += 1;
      if (progress.entries > maxEntries) throw invalid(where, `more than ${maxEntries} entries`);
      const file = await readEntry(header, body, paths, progress);
      if (file !== undefined) files.push(file);
    }
  } catch (error) {
    if (error instanceof TracemillError) throw error;
    throw invalid(where, `not a whole tar archive (plain, gzip or zstd): ${messageOf(error)}`, error);
  }
  return files.toSorted((a, b) => byCodePoint(a.path, b.path));
}

/** How far an archive has been read. */
interface Progress {
  where: string;
  /** The newest entry, as errors call it. */
  entry: string;
  entries: number;
  maxBytes: number;
}

/** @returns the file; nothing for a folder. */
async function readEntry(
  { name, size, type, mode = 0 }: TarHeader,
  body: AsyncIterable<Uint8Array>,
  paths: PathRegister,
  progress: Progress,
): Promise<TaskFile | undefined> {
  if (size > progress.maxBytes) throw tooLarge(progress);
  const isFolder = type === "directory" || (size === 0 && name.endsWith("/"));
  if (!isFolder && type !== "file") {
    throw invalid(progress.where, `${progress.entry} is a ${type}; only files and folders are allowed`);
  }
  const path = isFolder ? paths.addFolder(name) : paths.add(name);
  const content = await collect(body);
  return isFolder ? undefined : { path, content, mode: normalMode(mode) };
}

function normalMode(mode: number): number {
  return (mode & 0o111) === 0 ? 0o644 : 0o755;
}

async function* decompressed(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const decoder = decoderOf(bytes);
  if (decoder === undefined) return yield bytes;
  decoder.end(bytes);
  yield* decoder;
}

function decoderOf(bytes: Uint8Array): Gunzip | ZstdDecompress | undefined {
  if (startsWith(bytes, [0x1f, 0x8b])) return createGunzip();
  return startsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd]) ? createZstdDecompress() : undefined;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** Passes a tar through, and stops it once it has grown past the limit (a small archive can hold much). */
async function* limited(tar: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of tar) {
    size += chunk.byteLength;
    // Headers and padding take at most 2 KiB an entry beside its content, the end of the archive 10 KiB.
    if (size > progress.maxBytes + 2_048 * (progress.entries + 1) + 10_240) throw tooLarge(progress);
    yield chunk;
  }
  if (size === 0) throw invalid(progress.where, "the archive is empty");
}

function tooLarge({ where, entry, maxBytes }: Progress): TracemillError {
  return invalid(where, `larger than ${maxBytes} bytes unpacked, at ${entry}`);
}

function invalid(where: string, problem: string, cause?: unknown): TracemillError {
  return new TracemillError("invalid-archive", `${where}: ${problem}`, { cause });
}

/** Checks paths and remembers them, so that none comes twice and no file is also a folder. */
class PathRegister {
  readonly #where: string;
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  constructor(where: string) {
    this.#where = where;
  }

  /** @returns the path without `.` and empty segments. */
  add(name: string): string {
    const path = this.#normal(name);
    if (path === "") throw invalid(this.#where, `a file without a name (\`${name}\`)`);
    if (this.#files.has(path)) throw invalid(this.#where, `\`${path}\` comes twice`);
    if (this.#folders.has(path)) throw invalid(this.#where, `\`${path}\` is both a file and a folder`);
    this.#files.add(path);
    this.#addParents(path);
    return path;
  }

  addFolder(name: string): string {
    const path = this.#normal(name);
    if (this.#files.has(path)) throw invalid(this.#where, `\`${path}\` is both a file and a folder`);
    if (path !== "") this.#folders.add(path);
    this.#addParents(path);
    return path;
  }

  #addParents(path: string): void {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      if (this.#files.has(folder)) throw invalid(this.#where, `\`${folder}\` is both a file and a folder`);
      this.#folders.add(folder);
    }
  }

  #normal(name: string): string {
    const segments = name.split("/");
    if (name.includes("\0")) throw invalid(this.#where, `a NUL in the name ${JSON.stringify(name)}`);
    if (name.startsWith("/")) throw invalid(this.#where, `\`${name}\` is absolute; give relative paths`);
    if (segments.includes("..")) throw invalid(this.#where, `\`${name}\` leads out of the task by \`..\``);
    return segments.filter((segment) => segment !== "" && segment !== ".").join("/");
  }
}
