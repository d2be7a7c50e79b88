import { createHash } from "node:crypto";
import { decodeTime, encodeTime, ulid } from "ulid";

/** The digits of a ULID. */
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Ids that sort by time: a prefix and a ULID. */
export function timeId(prefix: "run" | "snap" | "own" | "cap", now: number): string {
  return `${prefix}_${ulid(now)}`;
}

/** The id of a snapshot: it sorts after `before`, whatever the clock says. @param now milliseconds since the epoch. */
export function snapshotIdAfter(before: string | undefined, now: number): string {
  const last = before === undefined ? 0 : decodeTime(before.slice("snap_".length));
  return timeId("snap", Math.max(now, last + 1));
}

/**
 * The id of the run that a snapshot starts of a spec: the same two give the same id, and it sorts by the
 * snapshot's time. A ULID is 10 characters of time and 16 of chance; a hash stands for the chance.
 */
export function snapshotRunId(snapshotId: string, specName: string): string {
  const time = snapshotId.slice("snap_".length, "snap_".length + 10);
  return `run_${time}${ulidDigits([snapshotId, specName])}`;
}

/**
 * The id of the run that a job of another system is imported as: the same job gives the same id, and it sorts by the
 * job's start.
 * @param startedAt milliseconds since the epoch.
 */
export function importedRunId(startedAt: number, job: readonly unknown[]): string {
  return `run_${encodeTime(startedAt, 10)}${ulidDigits(job)}`;
}

/** What stands for the chance in a ULID: a hash of the JSON of `parts`. */
function ulidDigits(parts: readonly unknown[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest();
  return Array.from(hash.subarray(0, 16), (byte) => crockford[byte % 32]).join("");
}

/** Ids that a retry makes again: a prefix and 24 hex digits of the SHA-256 of the JSON of `parts`. */
export function contentId(prefix: "trl" | "shd" | "env" | "ver", parts: readonly unknown[]): string {
  return `${prefix}_${sha256Hex(JSON.stringify(parts)).slice(0, 24)}`;
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
