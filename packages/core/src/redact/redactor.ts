/** What was taken out, by kind (`openai-key`, `private-key`, `email`): a count each. */
export type RedactionCounts = Readonly<Record<string, number>>;

/**
 * Takes secrets out of what is about to be written. One for each attempt (or session, or dataset), so that its counts
 * are that attempt's. What it puts in place says the kind: `[REDACTED:openai-key]`.
 */
export interface Redactor {
  /** The text without secrets; the same string when there are none. */
  text(value: string): string;
  /** A copy of a JSON value with its strings, and the names of its fields, redacted; the same value when there are none. */
  json<T>(value: T): T;
  /** HTTP headers without credentials and cookies; names in lower case. */
  headers(
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): Record<string, string | string[]>;
  /** Takes this value out wherever it stands from now on: a key that the program itself holds. */
  addSecret(value: string, kind: string): void;
  readonly counts: RedactionCounts;
}

/** What a record says of a redactor's counts: nothing when nothing was taken out. */
export function redactionsOf({ counts }: Pick<Redactor, "counts">): { redactions?: Record<string, number> } {
  return Object.keys(counts).length === 0 ? {} : { redactions: { ...counts } };
}

/** Two counts together; `undefined` when nothing was taken out. */
export function sumOfCounts(
  a: RedactionCounts = {},
  b: RedactionCounts = {},
): Record<string, number> | undefined {
  const sum: Record<string, number> = { ...a };
  for (const [kind, count] of Object.entries(b)) sum[kind] = (sum[kind] ?? 0) + count;
  return Object.keys(sum).length === 0 ? undefined : sum;
}
