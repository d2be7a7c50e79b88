import { TracemillError } from "../errors.ts";
import type { RecordKey } from "./record-store.ts";

/** DynamoDB's limits, in UTF-8 bytes, so that a key is good in both homes. */
const maxBytes = { pk: 2_048, sk: 1_024 };

/** @throws TracemillError `invalid-input`. */
export function assertRecordKey(key: RecordKey): void {
  for (const part of ["pk", "sk"] as const) {
    const problem = problemOf(key[part], maxBytes[part]);
    if (problem === undefined) continue;
    throw new TracemillError(
      "invalid-input",
      `record key \`${part}\` ${JSON.stringify(key[part])}: ${problem}`,
    );
  }
}

function problemOf(text: string, limit: number): string | undefined {
  if (text === "") return "is empty";
  if (text.includes("\0")) return "holds a NUL character";
  if (!text.isWellFormed()) return "holds half of a surrogate pair, which UTF-8 cannot express";
  return Buffer.byteLength(text) > limit ? `is longer than ${limit} bytes` : undefined;
}

const lastCodePoint = 0x10_ffff;

/** The least text above every text that starts with `prefix`; `undefined` when there is none. */
export function successor(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // The surrogate range has no UTF-8 form: its successor is U+E000.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
