import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { TracemillError } from "@tracemill/core/errors.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import { createTarDecoder, type TarHeader } from "modern-tar";
import * as z from "zod";
import { callEngine, hasStatus } from "./engine.ts";

/** What is at a path of a container; a link at its end is not followed, links before it are. */
export interface PathStat {
  kind: "file" | "directory" | "symlink" | "other";
  /** Permission bits. */
  mode: number;
  size: number;
  /** Where a link leads in the end, as an absolute path in the container. */
  target: string;
}

/** Kinds and bits as Go's `os.FileMode` has them: https://pkg.go.dev/io/fs#FileMode */
const GoMode = { directory: 0x80000000, symlink: 0x08000000, type: 0x8f280000 } as const;
const goBits: readonly [number, number][] = [
  [0x00800000, 0o4000],
  [0x00400000, 0o2000],
  [0x00100000, 0o1000],
];

const RawStat = z.looseObject({ size: z.number(), mode: z.number(), linkTarget: z.string() });

function statOf(header: unknown): PathStat {
  const text = Buffer.from(String(header), "base64").toString("utf8");
  const { size, mode, linkTarget } = RawStat.parse(JSON.parse(text));
  const type = (mode & GoMode.type) >>> 0;
  const special = goBits.reduce((bits, [go, unix]) => bits | ((mode & go) === 0 ? 0 : unix), 0);
  const kind =
    type === 0
      ? "file"
      : type === GoMode.directory
        ? "directory"
        : type === GoMode.symlink
          ? "symlink"
          : "other";
  return { kind, mode: (mode & 0o777) | special, size, target: linkTarget };
}

const headerName = "x-docker-container-path-stat";

/** How long the engine may be silent while it sends or takes an archive, in milliseconds. */
const silenceMs = 120_000;

/** @throws TracemillError `invalid-input` for links that go in circles, `sandbox-failed`. */
export async function statPath(container: Docker.Container, path: string): Promise<PathStat | undefined> {
  try {
    const answer = (await callEngine(`looking at ${path}`, (abortSignal) =>
      container.infoArchive({ path, abortSignal }),
    )) as IncomingMessage;
    // It has no body, and all the same keeps its connection, and so this process, until it is read.
    answer.resume();
    return statOf(answer.headers[headerName]);
  } catch (error) {
    if (!hasStatus(error, 500)) return absent(path, error);
    // An answer to HEAD has no words: they come with the archive.
    const archive = await openArchive(container, path);
    archive?.tar.destroy();
    return archive?.stat;
  }
}

export interface Archive {
  stat: PathStat;
  /** A tar whose names begin with the last component of the path. */
  tar: Readable;
}

/** Opens a path as a tar; a link at its end is not followed. The tar is to be read to its end, or destroyed. */
export async function openArchive(container: Docker.Container, path: string): Promise<Archive | undefined> {
  try {
    const tar = (await callEngine(`reading ${path}`, (abortSignal) =>
      // The signal would stay on the stream after the answer; a silent one is ended by its own clock.
      Promise.race([container.getArchive({ path }), rejected(abortSignal)]),
    )) as Readable & { headers: Record<string, unknown>; setTimeout?(ms: number, late: () => void): void };
    tar.setTimeout?.(silenceMs, () => tar.destroy(new Error("Docker's engine sends nothing any more")));
    return { stat: statOf(tar.headers[headerName]), tar };
  } catch (error) {
    return absent(path, error);
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

function absent(path: string, error: unknown): undefined {
  if (hasStatus(error, 404)) return undefined;
  const said = error instanceof Error ? error.message : "";
  if (/too many (links|levels)/i.test(said))
    throw new TracemillError("invalid-input", `${path}: too many symbolic links`, { cause: error });
  // A file on the way.
  if (/not a directory/i.test(said)) return undefined;
  throw error;
}

/** Entries of a tar from the engine, with their bodies. A body is to be read, or is skipped. */
export async function* entriesOf(
  tar: Readable,
): AsyncGenerator<{ header: TarHeader; body: ReadableStream<Uint8Array> }> {
  try {
    const decoded = Readable.toWeb(tar).pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of decoded) {
      yield { header, body };
      if (!body.locked) await body.cancel();
    }
  } finally {
    tar.destroy();
  }
}

/**
 * Unpacks entries in a container, from its root on. What was there of a name is replaced, except that folders stay; links
 * on the way are followed, inside the container.
 * @throws TracemillError `sandbox-failed`, `invalid-input` when something on the way is no folder.
 */
export async function unpackIn(
  container: Docker.Container,
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
  signal?: AbortSignal,
): Promise<void> {
  const tar = Readable.from(writeLayer(entries, new Date()), { objectMode: false });
  const failed = new Promise<never>((_, reject) => tar.once("error", reject));
  try {
    await callEngine(
      "writing files",
      (abortSignal) => Promise.race([container.putArchive(tar, { path: "/", abortSignal }), failed]),
      { ms: silenceMs * 5, signal },
    );
  } finally {
    failed.catch(() => undefined);
    tar.destroy();
  }
}
