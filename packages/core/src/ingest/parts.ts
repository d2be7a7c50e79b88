import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { findStored } from "../stored-json.ts";
import { collect, zstd } from "../streams.ts";
import { toIndexLine } from "./chain/index-line.ts";
import { SnapshotPart } from "./chain/part.ts";
import type { FetchedRow } from "./fetched-row.ts";
import type { IdSet } from "./id-set.ts";
import type { IngestReject } from "./manifest.ts";

/** A part is closed at the first of these: rows, bytes before compression, entries of the lists. */
const MOST_ROWS = 500;
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_ENTRIES = 5_000;

const Fetched = z.strictObject({ first: z.iso.datetime(), last: z.iso.datetime() });

/** `checkpoint-NNNNN.json`: what part NNNNN holds, for the manifest and for a restart. */
export const PartCheckpoint = z.strictObject({
  schemaVersion: z.literal(1),
  /** Absent when no entry of the part was a row. */
  part: SnapshotPart.optional(),
  rejects: SnapshotPart.optional(),
  tombstones: SnapshotPart.optional(),
  index: SnapshotPart.optional(),
  fetched: Fetched.optional(),
  /** Hashes of the ids of its tasks, kept or not: base64 of 8 bytes each, little-endian. */
  seen: z.base64(),
});
export type PartCheckpoint = z.infer<typeof PartCheckpoint>;

/** The snapshot that a part belongs to. */
export interface PartPlace {
  source: string;
  snapshotId: string;
}

/** Rows on their way into a part. */
export class PartBuffer {
  entries = 0;
  readonly #lines: string[] = [];
  readonly #rejects: string[] = [];
  readonly #tombstones: string[] = [];
  readonly #index: string[] = [];
  readonly #hashes: bigint[] = [];
  #solutions = 0;
  #bytes = 0;
  #fetched: { first: string; last: string } | undefined;

  get full(): boolean {
    return this.#lines.length >= MOST_ROWS || this.#bytes >= MOST_BYTES || this.entries >= MOST_ENTRIES;
  }

  add(row: FetchedRow): void {
    this.entries += 1;
    if (row.kind === "duplicate") return;
    this.#hashes.push(row.hash);
    if (row.kind === "older") return;
    if (row.note !== undefined) this.#index.push(toIndexLine(row.note));
    if (row.kind === "row") this.#addLine(row.line, row.solutions, row.fetchedAt);
    if (row.kind === "gone") this.#tombstones.push(JSON.stringify(row.tombstone));
    if (row.kind === "row" || row.kind === "rejected") this.#addRejects(row.rejects);
  }

  #addRejects(rejects: readonly IngestReject[]): void {
    for (const reject of rejects) {
      const line = JSON.stringify(reject);
      this.#rejects.push(line);
      this.#bytes += Buffer.byteLength(line);
    }
  }

  #addLine(line: string, solutions: number, fetchedAt: string): void {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line);
    this.#solutions += solutions;
    this.#fetched = { first: this.#fetched?.first ?? fetchedAt, last: fetchedAt };
  }

  /**
   * Stores the rows under the first number from `from` on that is free. Nothing that another process stored
   * is ever replaced: a number is claimed by its checkpoint before the other files are written, so that the
   * leavings of a killed process cost a number and no more.
   */
  async store(
    objects: ObjectStore,
    place: PartPlace,
    from: number,
  ): Promise<{ number: number; bytes: number }> {
    const files = await this.#pack();
    const { rows, rejects, tombstones, index } = files;
    for (let number = from; ; number += 1) {
      const { source, snapshotId } = place;
      const checkpoint: PartCheckpoint = {
        schemaVersion: 1,
        ...(rows && {
          part: fileAt(objectKeys.snapshotPart(source, snapshotId, number), rows, this.#solutions),
        }),
        ...(rejects && { rejects: fileAt(objectKeys.snapshotRejects(source, snapshotId, number), rejects) }),
        ...(tombstones && {
          tombstones: fileAt(objectKeys.snapshotTombstones(source, snapshotId, number), tombstones),
        }),
        ...(index && { index: fileAt(objectKeys.snapshotIndex(source, snapshotId, number), index) }),
        ...(this.#fetched && { fetched: this.#fetched }),
        seen: Buffer.from(BigUint64Array.from(this.#hashes).buffer).toString("base64"),
      };
      const key = objectKeys.snapshotCheckpoint(source, snapshotId, number);
      if (!(await claim(objects, key, Buffer.from(JSON.stringify(checkpoint))))) continue;
      return { number, bytes: await this.#put(objects, checkpoint, files) };
    }
  }

  async #pack(): Promise<Packed> {
    const [rows, rejects, tombstones, index] = [
      await pack(this.#lines),
      await pack(this.#rejects),
      await pack(this.#tombstones),
      await pack(this.#index),
    ];
    return { rows, rejects, tombstones, index };
  }

  /** @returns the bytes written. */
  async #put(objects: ObjectStore, named: PartCheckpoint, files: Packed): Promise<number> {
    let bytes = 0;
    const pairs = [
      [named.part, files.rows],
      [named.rejects, files.rejects],
      [named.tombstones, files.tombstones],
      [named.index, files.index],
    ] as const;
    for (const [part, file] of pairs) {
      if (part === undefined || file === undefined) continue;
      // A process that was displaced long ago may claim a number whose checkpoint is cleared away already.
      await objects.putIfAbsent(part.key, file.body);
      bytes += part.bytes;
    }
    return bytes;
  }
}

/** @returns whether the object is now there with just this content. */
async function claim(objects: ObjectStore, key: string, body: Buffer): Promise<boolean> {
  const { created } = await objects.putIfAbsent(key, body);
  if (created) return true;
  const stored = await objects.get(key);
  return stored !== undefined && body.equals(await collect(stored));
}

interface PackedFile {
  body: Buffer;
  info: Omit<SnapshotPart, "key" | "solutions">;
}

/** The files of one part; those that would be empty are absent. */
type Packed = Record<"rows" | "rejects" | "tombstones" | "index", PackedFile | undefined>;

function fileAt(key: string, { info }: PackedFile, solutions = 0): SnapshotPart {
  return { key, ...info, solutions };
}

async function pack(lines: readonly string[]): Promise<PackedFile | undefined> {
  if (lines.length === 0) return undefined;
  const raw = Buffer.from(`${lines.join("\n")}\n`);
  const body = await zstd(raw);
  const info = { rows: lines.length, bytes: body.length, rawBytes: raw.length, sha256: sha256Hex(body) };
  return { body, info };
}

/** @throws TracemillError `storage-corrupt` when a checkpoint that the cursor counts is not there, or is damaged. */
export async function readCheckpoint(
  objects: Pick<ObjectStore, "get">,
  { source, snapshotId }: PartPlace,
  number: number,
): Promise<PartCheckpoint> {
  const key = objectKeys.snapshotCheckpoint(source, snapshotId, number);
  const stored = await findStored(objects, key, PartCheckpoint);
  if (stored !== undefined) return stored;
  throw new TracemillError("storage-corrupt", `${key} is missing; begin anew with \`--restart\``);
}

/** Adds the ids that a checkpoint names. */
export function addSeen(seen: IdSet, checkpoint: PartCheckpoint): void {
  const bytes = Buffer.from(checkpoint.seen, "base64");
  for (let at = 0; at + 8 <= bytes.length; at += 8) seen.add(bytes.readBigUInt64LE(at));
}
