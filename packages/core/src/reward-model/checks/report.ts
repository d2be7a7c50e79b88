import * as z from "zod";
import type { Recheck } from "./verdict.ts";

const count = z.number().int().min(0);

/** How a check's source and the recordings agree, over all episodes. */
export const CheckCounts = z.strictObject({
  name: z.string(),
  agree: count,
  /** The source says passed, the recording shows otherwise. */
  claimedPassed: count,
  /** The source says failed, the recording shows that it holds. */
  claimedFailed: count,
  /** The recording cannot decide it. */
  unknown: count,
  /** Decided by the recording; the source says nothing. */
  unclaimed: count,
});
export type CheckCounts = z.infer<typeof CheckCounts>;

/** Names come from outside: more than these share one entry. */
const mostNames = 1_000;
const others = "(others)";

/** Counts rechecks while they go by. */
export class CheckReport {
  readonly #counts = new Map<string, CheckCounts>();

  add({ name, claimed, found }: Recheck): void {
    const counts = this.#countsOf(name);
    if (found.verdict === "unknown") counts.unknown += 1;
    else if (claimed === undefined) counts.unclaimed += 1;
    else if (claimed === (found.verdict === "holds")) counts.agree += 1;
    else if (claimed) counts.claimedPassed += 1;
    else counts.claimedFailed += 1;
  }

  /** By name. */
  list(): CheckCounts[] {
    return [...this.#counts.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  #countsOf(wanted: string): CheckCounts {
    const name = this.#counts.has(wanted) || this.#counts.size < mostNames ? wanted : others;
    const none = { agree: 0, claimedPassed: 0, claimedFailed: 0, unknown: 0, unclaimed: 0 };
    const counts = this.#counts.get(name) ?? { name, ...none };
    this.#counts.set(name, counts);
    return counts;
  }
}

/** Whether the recording contradicts the source. */
export function disagrees({ claimed, found }: Recheck): boolean {
  return claimed !== undefined && found.verdict !== "unknown" && claimed !== (found.verdict === "holds");
}
