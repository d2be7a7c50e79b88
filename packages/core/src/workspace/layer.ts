import { createTarDecoder, createTarPacker, type TarHeader } from "modern-tar";
import { messageOf, TracemillError } from "../errors.ts";
import { tarName } from "../tar-name.ts";

/**
 * What a workspace consists of: the changes to a file system, as the OCI image layer format writes them
 * (https://github.com/opencontainers/image-spec/blob/main/layer.md). Paths are relative to `/`, without a
 * leading or trailing slash; the empty path is `/` itself.
 */
export type LayerEntry =
  | { type: "file"; path: string; mode: number; size: number; body: AsyncIterable<Uint8Array> }
  | { type: "directory"; path: string; mode: number }
  | { type: "symlink"; path: string; target: string }
  /** Deletes what the layers below have at `path`. */
  | { type: "whiteout"; path: string }
  /** Hides everything that the layers below have inside the folder `path`. */
  | { type: "opaque"; path: string };

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/** Whether a file of this name would be read as a deletion: such a file cannot be kept in a layer. */
export function isReservedName(name: string): boolean {
  return name.startsWith(whiteoutPrefix);
}

/**
 * Writes entries as an uncompressed tar. Owners are 0, and so are times where no `mtime` says otherwise: the same
 * entries give the same bytes.
 */
export async function* writeLayer(
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
  mtime: Date = new Date(0),
): AsyncGenerator<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const fed = feed(entries, mtime, controller);
  for await (const chunk of readable) yield chunk;
  await fed;
}

type Packer = ReturnType<typeof createTarPacker>["controller"];

/** Errors reach the reader of the tar through the packer. */
async function feed(
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
  mtime: Date,
  packer: Packer,
): Promise<void> {
  try {
    for await (const entry of entries) {
      const writer = packer.add(headerOf(entry, mtime)).getWriter();
      if (entry.type === "file") for await (const chunk of entry.body) await writer.write(chunk);
      await writer.close();
    }
    packer.finalize();
  } catch (error) {
    packer.error(error);
  }
}

function headerOf(entry: LayerEntry, mtime: Date): TarHeader {
  const common = { mtime, uid: 0, gid: 0, size: 0 };
  switch (entry.type) {
    case "file":
      return { ...common, type: "file", ...tarName(entry.path), mode: entry.mode, size: entry.size };
    case "directory":
      return { ...common, type: "directory", ...tarName(`${entry.path}/`), mode: entry.mode };
    case "symlink":
      return { ...common, type: "symlink", ...tarName(entry.path), mode: 0o777, linkname: entry.target };
    case "whiteout":
      return { ...common, type: "file", ...tarName(inFolder(entry.path)), mode: 0o644 };
    case "opaque":
      return { ...common, type: "file", ...tarName(joined(entry.path, opaqueName)), mode: 0o644 };
  }
}

function inFolder(path: string): string {
  const cut = path.lastIndexOf("/") + 1;
  return `${path.slice(0, cut)}${whiteoutPrefix}${path.slice(cut)}`;
}

function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/**
 * Reads a tar as entries. A file's body must be read, or is skipped, before the next entry is asked for.
 * @throws TracemillError `invalid-archive`, naming the entry: a path that is absolute, has `..` or NUL, a
 * hard link, a device, or a damaged tar.
 */
export async function* readLayer(tar: AsyncIterable<Uint8Array>): AsyncGenerator<LayerEntry> {
  let last = "the first entry";
  try {
    const decoded = ReadableStream.from(notEmpty(tar)).pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of decoded) {
      last = `\`${header.name}\``;
      yield entryOf(header, body);
      if (!body.locked) await body.cancel();
    }
  } catch (error) {
    if (error instanceof TracemillError) throw error;
    throw invalid(`not a whole tar, at ${last}: ${messageOf(error)}`, error);
  }
}

/** A workspace without changes may be stored as nothing at all: an empty tar, to the decoder. */
async function* notEmpty(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of tar) {
    size += chunk.byteLength;
    yield chunk;
  }
  if (size === 0) yield new Uint8Array(1024);
}

function entryOf(header: TarHeader, body: AsyncIterable<Uint8Array>): LayerEntry {
  const path = cleanPath(header.name);
  const cut = path.lastIndexOf("/") + 1;
  const name = path.slice(cut);
  if (name === opaqueName) return { type: "opaque", path: path.slice(0, Math.max(0, cut - 1)) };
  if (isReservedName(name)) return { type: "whiteout", path: whiteoutTarget(path, cut) };
  const entry = plainEntry(path, header, body);
  if (entry !== undefined) return entry;
  throw invalid(`\`${header.name}\` is a ${header.type}; only files, folders and symbolic links are carried`);
}

/** A file, folder or symbolic link of a tar; `undefined` for anything else. Names of deletions mean nothing here. */
export function plainEntry(
  path: string,
  header: TarHeader,
  body: AsyncIterable<Uint8Array>,
): LayerEntry | undefined {
  const mode = (header.mode ?? 0o644) & 0o7777;
  switch (header.type ?? "file") {
    case "file":
      return { type: "file", path, mode, size: header.size, body };
    case "directory":
      return { type: "directory", path, mode };
    case "symlink":
      return { type: "symlink", path, target: header.linkname ?? "" };
    default:
      return undefined;
  }
}

function whiteoutTarget(path: string, cut: number): string {
  const name = path.slice(cut + whiteoutPrefix.length);
  if (name === "" || name === "." || name === ".." || isReservedName(name)) {
    throw invalid(`\`${path}\` is no valid deletion`);
  }
  return path.slice(0, cut) + name;
}

function cleanPath(name: string): string {
  const segments = name.split("/");
  if (name.includes("\0")) throw invalid(`a NUL in the name ${JSON.stringify(name)}`);
  if (name.startsWith("/")) throw invalid(`\`${name}\` is absolute; paths are relative to the root`);
  if (segments.includes("..")) throw invalid(`\`${name}\` leads out of the sandbox by \`..\``);
  return segments.filter((segment) => segment !== "" && segment !== ".").join("/");
}

function invalid(problem: string, cause?: unknown): TracemillError {
  return new TracemillError("invalid-archive", `workspace: ${problem}`, { cause });
}
