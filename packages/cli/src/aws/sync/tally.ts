import type { CliContext } from "../../context.ts";
import { sizeWords } from "../../size-words.ts";

/** Least time between two progress lines. */
const sayEveryMs = 2_000;

/** What a sync did, or would do. */
export interface SyncCounts {
  /** Objects and rows that were not there. */
  copied: number;
  /** Those that were older there. */
  replaced: number;
  same: number;
  /** Those that are newer there: the other direction would copy them. */
  ahead: number;
  bytes: number;
}

/** Something that has changed on both sides, and is left as it is on both. */
export interface Conflict {
  what: string;
  why: string;
}

/** Conflicts that are named; all are counted. */
const namedConflicts = 1_000;

/** Counts, and says now and then how far it is. */
export class SyncTally {
  readonly counts: SyncCounts = { copied: 0, replaced: 0, same: 0, ahead: 0, bytes: 0 };
  readonly conflicts: Conflict[] = [];
  conflictCount = 0;
  readonly #context: Pick<CliContext, "clock" | "out">;
  #saidAt: number;

  constructor(context: Pick<CliContext, "clock" | "out">) {
    this.#context = context;
    this.#saidAt = context.clock.now();
  }

  add(kind: Exclude<keyof SyncCounts, "bytes">): void {
    this.counts[kind] += 1;
    this.#say();
  }

  addBytes(bytes: number): void {
    this.counts.bytes += bytes;
    this.#say();
  }

  conflict(what: string, why: string): void {
    this.conflictCount += 1;
    if (this.conflicts.length < namedConflicts) this.conflicts.push({ what, why });
  }

  line(): string {
    const { copied, replaced, same, ahead, bytes } = this.counts;
    const parts = [`${number(copied)} copied (${sizeWords(bytes)})`];
    if (replaced > 0) parts.push(`${number(replaced)} brought up to date`);
    parts.push(`${number(same)} the same`);
    if (ahead > 0) parts.push(`${number(ahead)} newer there`);
    if (this.conflictCount > 0) parts.push(`${number(this.conflictCount)} conflicts`);
    return parts.join(" · ");
  }

  #say(): void {
    const { clock, out } = this.#context;
    if (clock.now() - this.#saidAt < sayEveryMs) return;
    this.#saidAt = clock.now();
    out.note(this.line());
  }
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
