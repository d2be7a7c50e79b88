/** Fields that are bytes in the SDK and base64 in JSON, as far as models are asked here: sealed reasoning, and media. */
const byteFields = new Set(["redactedContent", "bytes"]);

/** What the SDK gives, as it stands on the wire: JSON. */
export function bytesAsText(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return mapped(value, bytesAsText);
}

/** A body as the SDK wants it. */
export function textAsBytes(value: unknown, field?: string): unknown {
  if (typeof value === "string" && field !== undefined && byteFields.has(field))
    return Buffer.from(value, "base64");
  return mapped(value, textAsBytes);
}

function mapped(value: unknown, map: (inner: unknown, field?: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((inner) => map(inner));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, map(inner, field)]));
}
