import * as z from "zod";
import type { Known } from "./index-line.ts";
import { coversSolutions, isVersioned } from "./version.ts";

const Count = z.number().int().min(0);

/** What a source has shown of its list entries, since the last full snapshot. */
export const Evidence = z.strictObject({
  /** Tasks whose solutions had changed, and whose list entry was another one too. */
  shown: Count,
  /** Tasks that had changed although their list entry, timestamp and all, was what it had been. */
  hidden: Count,
});
export type Evidence = z.infer<typeof Evidence>;

/** So many changes without a hidden one, and a source's timestamps are taken to move with its solutions. */
const PROVEN = 20;
/** One in so many skipped tasks is looked at all the same, another one with each snapshot: 0.5 %. */
const AUDIT_CYCLE = 200n;

/**
 * Decides which tasks need not be fetched: docs/design/incremental-ingest.md has the reasons.
 * One of it serves one ingest; what it witnesses counts at once.
 */
export class Trust {
  #evidence: Evidence;
  readonly #turn: bigint;

  /** @param depth snapshots between this one and the full one that its chain begins with. */
  constructor(evidence: Evidence, depth: number) {
    this.#evidence = evidence;
    this.#turn = BigInt(depth) % AUDIT_CYCLE;
  }

  /** Whether the entry shows that the task and its solutions are as they were. */
  maySkip(entry: { value: Record<string, unknown>; fingerprint: bigint }, known: Known): boolean {
    const { shown, hidden } = this.#evidence;
    if (known.moving || known.entry !== entry.fingerprint || hidden > 0) return false;
    return isVersioned(entry.value) && (coversSolutions(entry.value) || shown >= PROVEN);
  }

  /** Whether it is the task's turn to be looked at although it may be skipped. */
  isAudited(hash: bigint): boolean {
    return hash % AUDIT_CYCLE === this.#turn;
  }

  witness(kind: keyof Evidence): void {
    this.#evidence = { ...this.#evidence, [kind]: this.#evidence[kind] + 1 };
  }
}
