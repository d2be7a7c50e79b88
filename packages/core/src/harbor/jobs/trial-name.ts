import { createHash } from "node:crypto";

/** The digits of shortuuid, Harbor's source of random names: no 0, 1, I, O, l. */
const digits = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/**
 * A trial's name by Harbor's rule, `<task, 32 characters at most>__<7 random ones>`, with a hash in the place of
 * chance: the same trial has the same name in every export.
 * @param length of the hash; 14 when the name of 7 is taken, which one of a million trials' may be.
 */
export function trialName(task: string, trialId: string, length: 7 | 14 = 7): string {
  const last = task.split("/").at(-1) ?? "";
  const plain = last.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "");
  const stem = plain.slice(0, 32).replace(/[_-]+$/, "") || "task";
  const hash = createHash("sha256").update(trialId).digest();
  const suffix = Array.from(hash.subarray(0, length), (byte) => digits[byte % digits.length]).join("");
  return `${stem}__${suffix}`;
}

/** A UUID (version 8, RFC 9562) that stands for ours: Harbor wants one for each job and trial. */
export function uuidOf(...parts: readonly string[]): string {
  const bytes = createHash("sha256").update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
