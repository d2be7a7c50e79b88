import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxFile } from "@tracemill/core/ports/sandbox.ts";
import { collect } from "@tracemill/core/streams.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import { assertAbsolute } from "../job/write-files.ts";
import { entriesOf, openArchive, statPath, unpackIn } from "./archive.ts";
import { fileEntry } from "./build-context.ts";

/** What one request carries, so that files written one by one do not each cost a request. */
const batchBytes = 64 * 1024 * 1024;
const batchEntries = 10_000;

const mostLinks = 40;

/** Writes files, making their folders. What was there of that name is replaced, never written through. */
export async function writeFilesIn(
  container: Docker.Container,
  files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>,
): Promise<void> {
  let batch: LayerEntry[] = [];
  let bytes = 0;
  for await (const { path, content, mode = 0o644 } of files) {
    assertAbsolute(path);
    const entry = fileEntry({ path: relativePath(path), content: Buffer.from(content), mode });
    await assertNoFolder(container, path);
    batch.push(entry);
    bytes += content.length;
    if (bytes < batchBytes && batch.length < batchEntries) continue;
    await unpackIn(container, batch);
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) await unpackIn(container, batch);
}

/** The engine would replace a folder by the file. */
async function assertNoFolder(container: Docker.Container, path: string): Promise<void> {
  if ((await statPath(container, path))?.kind !== "directory") return;
  throw new TracemillError("invalid-input", `${path} is a folder; a file cannot be written there`);
}

/** @throws TracemillError `invalid-input` for what names no file. */
function relativePath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0 || parts.includes(".."))
    throw new TracemillError("invalid-input", `${path}: give the path of a file, without \`..\``);
  return parts.join("/");
}

/**
 * Reads a regular file, following links: none leads out of the container.
 * @throws TracemillError `invalid-input` for anything else, and for more than `maxBytes`.
 */
export async function readFileIn(
  container: Docker.Container,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  assertAbsolute(path);
  let current = path;
  for (let links = 0; links <= mostLinks; links += 1) {
    const stat = await statPath(container, current);
    if (stat === undefined) return undefined;
    if (stat.kind === "symlink") {
      current = stat.target;
      continue;
    }
    if (stat.kind !== "file")
      throw new TracemillError(
        "invalid-input",
        `${path} is ${stat.kind === "directory" ? "a folder" : "no regular file"}`,
      );
    return content(container, { path, current, maxBytes, size: stat.size });
  }
  throw new TracemillError("invalid-input", `${path}: too many symbolic links`);
}

interface Content {
  /** As asked for. */
  path: string;
  /** With links resolved. */
  current: string;
  maxBytes: number;
  size: number;
}

async function content(
  container: Docker.Container,
  { path, current, maxBytes, size }: Content,
): Promise<Uint8Array | undefined> {
  if (size > maxBytes) throw tooLarge(path, maxBytes);
  if (size === 0) return new Uint8Array();
  const archive = await openArchive(container, current);
  if (archive === undefined) return undefined;
  // It may have grown since it was looked at, or be something else by now.
  for await (const { header, body } of entriesOf(archive.tar)) {
    if ((header.type ?? "file") !== "file")
      throw new TracemillError("invalid-input", `${path} is no regular file`);
    if (header.size > maxBytes) throw tooLarge(path, maxBytes);
    return collect(body);
  }
  return undefined;
}

function tooLarge(path: string, maxBytes: number): TracemillError {
  return new TracemillError("invalid-input", `${path} is larger than ${maxBytes} bytes`);
}
