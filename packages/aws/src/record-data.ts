import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";

/**
 * From here on a row's JSON is stored compressed, in bytes. A write is billed by the KB: a traced trial's row, 1.2 KB
 * with its keys, costs half, 1.9 USD a million trials. Shorter rows stay readable in the console.
 */
const compressFrom = 700;

/** Of what is unpacked, in bytes: DynamoDB's 400 KB, compressed a hundred times. */
const largestText = 40 * 1024 * 1024;

/** The attribute that holds a row's JSON: text, or raw deflate where that is shorter. */
export function dataAttribute(text: string): AttributeValue {
  const bytes = Buffer.from(text);
  if (bytes.byteLength < compressFrom) return { S: text };
  const packed = deflateRawSync(bytes);
  return packed.byteLength < bytes.byteLength ? { B: packed } : { S: text };
}

/** Its JSON; `undefined` when it is no such attribute. @throws Error when the bytes are damaged. */
export function dataText(attribute: AttributeValue | undefined): string | undefined {
  if (attribute?.B === undefined) return attribute?.S;
  return inflateRawSync(attribute.B, { maxOutputLength: largestText }).toString("utf8");
}
