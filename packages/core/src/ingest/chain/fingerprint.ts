import { hashId } from "../id-set.ts";

/** The hash of a value as the source sent it: `parseExact` and `JSON.stringify` give it back in its own spelling. */
export function fingerprint(value: unknown): bigint {
  return hashId(JSON.stringify(value));
}

/** The hash of a list whose order says nothing: two listings of the same solutions are equal. */
export function fingerprintAll(values: readonly unknown[]): bigint {
  return values.reduce<bigint>((sum, value) => BigInt.asUintN(64, sum + fingerprint(value)), 0n);
}
