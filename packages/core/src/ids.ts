import { createHash } from "node:crypto";
import { ulid } from "ulid";

/** Ids that sort by time: a prefix and a ULID. */
export function timeId(prefix: "run" | "snap" | "own", now: number): string {
  return `${prefix}_${ulid(now)}`;
}

/** Ids that a retry makes again: a prefix and 24 hex digits of the SHA-256 of the JSON of `parts`. */
export function contentId(prefix: "trl" | "shd" | "env" | "ver", parts: readonly unknown[]): string {
  return `${prefix}_${sha256Hex(JSON.stringify(parts)).slice(0, 24)}`;
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
