import { createHash } from "node:crypto";

/**
 * The first 48 bits of a SHA-256 as a number, which a double holds exactly. Among a million texts two share them
 * with a chance of 1 in 560 (n^2 / 2^49): for what a collision does no harm to, where a Map of texts is too large.
 */
export function hash48(text: string): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6);
}
