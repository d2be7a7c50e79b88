import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";

/**
 * What was last the same on both sides, by its hash, and what it was to become: a copy that is killed between the
 * ledger and the target leaves the target with one of the two.
 */
const Entry = z.strictObject({ schemaVersion: z.literal(1), hashes: z.array(z.string()).min(1).max(2) });

/**
 * What to do about something that may change on both sides. `copy`: only the source has changed; `ahead`: only the
 * target has; `conflict`: both have, or nobody knows.
 */
export type Verdict = "same" | "copy" | "ahead" | "conflict";

/** Remembers, in the local home, how things that change were left by the last sync with a stage. */
export interface Ledger {
  /** Decides, by hashes; `undefined`: not there. Notes what a `copy` is about to make. */
  judge(what: string, source: string, target: string | undefined): Promise<Verdict>;
  /**
   * Notes that a `copy` over something older was made. Without it, what the target had before would pass for
   * unchanged: a run that is resumed has the row again that it had before it stopped.
   */
  settle(what: string, hash: string): Promise<void>;
}

/** @param readOnly decides and writes nothing. */
export function syncLedger(
  records: Pick<RecordStore, "get" | "put">,
  stage: string,
  readOnly = false,
): Ledger {
  const pk = `sync#${stage}`;
  const write = async (sk: string, hashes: string[]): Promise<void> => {
    if (!readOnly) await records.put({ pk, sk }, { schemaVersion: 1, hashes }, "any");
  };
  return {
    async judge(what, source, target) {
      const stored = await records.get({ pk, sk: what });
      const known = stored && parseAs(Entry, stored.data, `record ${pk}/${what}`, "storage-corrupt").hashes;
      const verdict = verdictOf(known ?? [], source, target);
      if (verdict === "copy") await write(what, target === undefined ? [source] : [target, source]);
      // Left by a copy that was killed, or the first time that both sides are seen.
      if (verdict === "same" && (known?.length !== 1 || known[0] !== source)) await write(what, [source]);
      return verdict;
    },
    settle: (what, hash) => write(what, [hash]),
  };
}

function verdictOf(known: readonly string[], source: string, target: string | undefined): Verdict {
  if (source === target) return "same";
  if (target === undefined || known.includes(target)) return "copy";
  return known.includes(source) ? "ahead" : "conflict";
}
