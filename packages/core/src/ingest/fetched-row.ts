import type { IndexNote } from "./chain/index-line.ts";
import type { Evidence } from "./chain/trust.ts";
import type { ResumePoint } from "./cursor.ts";
import type { IngestReject, Tombstone } from "./manifest.ts";

/** A place in the source: everything before it is dealt with once the row that carries it is. */
export type Place = Extract<ResumePoint, { status: "within" | "listed" }>;

/** What is true of every task that was identified. */
interface OfTask {
  place: Place;
  hash: bigint;
}

/** What was found out about a task by fetching it. */
interface Looked extends OfTask {
  /** For the next ingest; absent when what is known still holds, or nothing is known. */
  note?: IndexNote;
  /** What this task says of the source's list entries. */
  evidence?: keyof Evidence;
  /** The latest timestamp of its entry, in milliseconds since the epoch. */
  time?: number;
}

/** One task of the source: those of its lists in their order, then those that the lists name no longer. */
export type FetchedRow =
  | (Looked & {
      kind: "row";
      line: string;
      solutions: number;
      fetchedAt: string;
      rejects: IngestReject[];
      /** Solutions of the row that this one replaces; absent when the task is new. */
      replaces?: number;
    })
  /** The latest state is right about it. `looked`: it was fetched, and not only skipped. */
  | (Looked & { kind: "unchanged"; looked: boolean })
  /** Left out: it has no solutions, and had none. */
  | (Looked & { kind: "empty" })
  /** It has to leave the state. */
  | (Looked & { kind: "gone"; tombstone: Tombstone; replaces: number })
  /** Left alone: its entry is older than what was asked for. */
  | (OfTask & { kind: "older" })
  /** Named before. */
  | { kind: "duplicate"; place: Place }
  /**
   * Put aside: it does not fit, or the API would not give it. `missed`: the latest timestamp of an entry that it would
   * not give more of, in milliseconds since the epoch.
   */
  | (Looked & { kind: "rejected"; rejects: IngestReject[]; missed?: number });
