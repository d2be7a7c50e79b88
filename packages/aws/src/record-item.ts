import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { StoredRecord } from "@tracemill/core/ports/record-store.ts";
import { dataText } from "./record-data.ts";

export type Item = Record<string, AttributeValue>;

/**
 * A record from a row as DynamoDB gives it, also from the `NewImage` of a stream.
 * @throws TracemillError `storage-corrupt` when it is no row of ours.
 */
export function recordOf(item: Item): StoredRecord {
  const { pk, sk, version, data } = item;
  if (pk?.S === undefined || sk?.S === undefined || version?.N === undefined || data === undefined) {
    const name = `${pk?.S ?? "?"}/${sk?.S ?? "?"}`;
    throw new TracemillError(
      "storage-corrupt",
      `row ${name} lacks pk, sk, version or data; it is not Tracemill's`,
    );
  }
  return { pk: pk.S, sk: sk.S, version: Number(version.N), data: dataOf(pk.S, sk.S, data) };
}

function dataOf(pk: string, sk: string, attribute: AttributeValue): unknown {
  try {
    return JSON.parse(dataText(attribute) ?? "");
  } catch (error) {
    const message = `row ${pk}/${sk}: its data is not JSON; restore the table to a point in time before that`;
    throw new TracemillError("storage-corrupt", message, { cause: error });
  }
}
