import { createHash } from "node:crypto";
import { ulid } from "ulid";

/** The digits of a ULID. */
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Ids that sort by time: a prefix and a ULID. */
export function timeId(prefix: "run" | "snap" | "own", now: number): string {
  return `${prefix}_${ulid(now)}`;
}

/**
 * The id of the run that a snapshot starts of a spec: the same two give the same id, and it sorts by the
 * snapshot's time. A ULID is 10 characters of time and 16 of chance; a hash stands for the chance.
 */
export function snapshotRunId(snapshotId: string, specName: string): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([snapshotId, specName]))
    .digest();
  const rest = Array.from(hash.subarray(0, 16), (byte) => crockford[byte % 32]).join("");
  return `run_${snapshotId.slice("snap_".length, "snap_".length + 10)}${rest}`;
}

/** Ids that a retry makes again: a prefix and 24 hex digits of the SHA-256 of the JSON of `parts`. */
export function contentId(prefix: "trl" | "shd" | "env" | "ver", parts: readonly unknown[]): string {
  return `${prefix}_${sha256Hex(JSON.stringify(parts)).slice(0, 24)}`;
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
