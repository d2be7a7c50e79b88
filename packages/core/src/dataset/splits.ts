import { createHash } from "node:crypto";
import { TracemillError } from "../errors.ts";

export interface SplitSpec {
  /** Share of the groups by split name; they add up to 1. */
  splits: Readonly<Record<string, number>>;
  seed: number;
}

/** Shares are typed by people: 0.1 three times is not 0.3 to the last bit. */
const tolerance = 1e-9;

/** @throws TracemillError `invalid-spec` naming `export.splits`. */
export function assertShares(splits: SplitSpec["splits"]): void {
  const shares = Object.values(splits);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length > 0 && shares.every((share) => share >= 0) && Math.abs(total - 1) <= tolerance) return;
  throw new TracemillError(
    "invalid-spec",
    `\`export.splits\` are ${JSON.stringify(splits)}; give shares from 0 to 1 that add up to 1`,
  );
}

/**
 * The split of a group: the SHA-256 of seed and group as a number in [0, 1), held against the cumulative
 * shares in the order of the splits' names. It depends on nothing else, so that all tasks of a group fall into
 * one split, other groups, added or removed, change nothing, and a spec may lose the order of its keys on its
 * way through a store.
 */
export function splitOf(group: string, { splits, seed }: SplitSpec): string {
  const point = unitHash(`${seed}\n${group}`);
  let cumulative = 0;
  let last = "";
  for (const [name, share] of Object.entries(splits).toSorted(byName)) {
    if (share <= 0) continue;
    cumulative += share;
    last = name;
    if (point < cumulative) return name;
  }
  // Rounding may leave the sum a hair under 1.
  return last;
}

function byName([a]: [string, number], [b]: [string, number]): number {
  return a < b ? -1 : 1;
}

/** Uniform in [0, 1): the first 48 bits of the hash, which a double holds exactly. */
function unitHash(text: string): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}
