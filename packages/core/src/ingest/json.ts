/**
 * JSON that keeps what the source said. `JSON.parse` turns 1.0 into 1 and rounds integers beyond 2^53; a raw
 * snapshot may do neither. Built on JSON.parse source text access (ECMAScript 2026; V8 of Node 22 and later).
 */

interface RawJson {
  readonly rawJSON: string;
}

interface JsonWithSource {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
}

const json = JSON as unknown as JsonWithSource;

/** Parses so that `JSON.stringify` gives each number back as it was written. */
export function parseExact(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && source !== String(value)
      ? json.rawJSON(source)
      : value,
  );
}

/** Any text with an id that is no safe integer has one of these: 16 digits, a fraction or an exponent. */
const UNSAFE_ID = /"(?:task_)?id"\s*:\s*-?\d+(?:[.eE]|(?<=\d{16}))/;

/**
 * Parses into plain values; an id too large for a number becomes its digits instead of a neighbour's id.
 * @param text as `JSON.stringify` writes it: no escapes in the keys `id` and `task_id`.
 */
export function parsePlain(text: string): unknown {
  // A reviver makes parsing five times slower.
  if (!UNSAFE_ID.test(text)) return JSON.parse(text);
  return json.parse(text, (key, value, { source }) =>
    typeof value === "number" && (key === "id" || key === "task_id") && !Number.isSafeInteger(value)
      ? source
      : value,
  );
}

/** The number in a value of `parseExact`; `undefined` when it is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return json.isRawJSON(value) ? Number(value.rawJSON) : undefined;
}

/** The id in a value of `parseExact`, as a string; `undefined` when there is none. */
export function idOf(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "number") return String(value);
  return json.isRawJSON(value) ? value.rawJSON : undefined;
}

/** True for a JSON object: not null, not a list, not a kept number. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !json.isRawJSON(value);
}
