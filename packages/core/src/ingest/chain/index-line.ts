import * as z from "zod";
import { parseAs } from "../../validation.ts";
import { hashId } from "../id-set.ts";

/** What is known of one task when an ingest is over. Hashes are the first 64 bits of a SHA-256. */
export interface Known {
  /** Of its list entry, as the source sent it. */
  entry: bigint;
  /** Of the task as it was fetched. */
  task: bigint;
  /** Of its solutions as they were fetched, whatever their order. */
  solutions: bigint;
  /** Solutions in the row that holds it; 0 when none does. */
  count: number;
  /** The latest state has a row of it. */
  held: boolean;
  /** To be looked at by the next ingest, whatever its entry says. */
  moving: boolean;
}

const HELD = 1;
const MOVING = 2;
const GONE = 4;

/** How the flags are kept, in memory and in files. */
export function flagsOf({ held, moving }: Pick<Known, "held" | "moving">): number {
  return (held ? HELD : 0) | (moving ? MOVING : 0);
}

export function readFlags(flags: number): Pick<Known, "held" | "moving"> | undefined {
  return (flags & GONE) === 0 ? { held: (flags & HELD) !== 0, moving: (flags & MOVING) !== 0 } : undefined;
}

/** What an ingest found out about a task; `undefined`: that it is gone. */
export interface IndexNote {
  id: string;
  known: Known | undefined;
}

const Hash = z.string().regex(/^[0-9a-f]{1,16}$/);
/** `[id, entry, task, solutions, count, flags]`: one line of `index-NNNNN.jsonl.zst`. */
const IndexLine = z.tuple([
  z.string(),
  Hash,
  Hash,
  Hash,
  z.number().int().min(0),
  z.number().int().min(0).max(7),
]);

export function toIndexLine({ id, known }: IndexNote): string {
  if (known === undefined) return JSON.stringify([id, "0", "0", "0", 0, GONE]);
  const hashes = [known.entry, known.task, known.solutions].map((hash) => hash.toString(16));
  return JSON.stringify([id, ...hashes, known.count, flagsOf(known)]);
}

/** @throws TracemillError `storage-corrupt`; SyntaxError for what is not JSON. */
export function parseIndexLine(text: string, where: string): IndexNote & { hash: bigint } {
  const line = parseAs(IndexLine, JSON.parse(text), where, "storage-corrupt");
  const [id, entry, task, solutions, count, flags] = line;
  const kept = readFlags(flags);
  const known = kept && { entry: hex(entry), task: hex(task), solutions: hex(solutions), count, ...kept };
  return { id, hash: hashId(id), known };
}

function hex(text: string): bigint {
  return BigInt(`0x${text}`);
}
