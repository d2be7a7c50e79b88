import { type AttributeValue, type DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { compareKeys } from "@tracemill/core/ports/object-key.ts";
import { successor } from "@tracemill/core/ports/record-key.ts";
import type { QueryOptions, StoredRecord } from "@tracemill/core/ports/record-store.ts";
import { type Item, recordOf } from "./record-item.ts";
import type { SendToTable } from "./record-store.ts";

/** Beyond it a page ends by its 1 MB anyway. */
const largestLimit = 10_000;

interface Table {
  client: DynamoDBClient;
  table: string;
  send: SendToTable;
}

/** Records of one partition; reads a page (1 MB, or what the limit leaves) when the one before is used up. */
export async function* queryPartition(
  { client, table, send }: Table,
  pk: string,
  { prefix = "", after = "", limit = Number.POSITIVE_INFINITY, reverse = false }: QueryOptions,
): AsyncGenerator<StoredRecord> {
  const range = rangeOf(prefix, after);
  if (range === undefined) return;
  let left = limit;
  let start: Item | undefined;
  while (left > 0) {
    const command = new QueryCommand({
      TableName: table,
      ConsistentRead: true,
      ScanIndexForward: !reverse,
      KeyConditionExpression: `pk = :pk${range.text}`,
      ExpressionAttributeValues: { ":pk": { S: pk }, ...range.values },
      // A range may give two records too many: its two ends.
      ...(left < largestLimit && { Limit: left + 2 }),
      ...(start !== undefined && { ExclusiveStartKey: start }),
    });
    const { Items = [], LastEvaluatedKey } = await send("dynamodb:Query", () => client.send(command));
    for (const item of Items) {
      const record = recordOf(item);
      if (!record.sk.startsWith(prefix) || record.sk === after) continue;
      yield record;
      left -= 1;
      if (left <= 0) return;
    }
    if (LastEvaluatedKey === undefined) return;
    start = LastEvaluatedKey;
  }
}

interface Range {
  text: string;
  values: Record<string, AttributeValue>;
}

/** A query takes one condition on the sort key. @returns `undefined` when nothing can satisfy both. */
function rangeOf(prefix: string, after: string): Range | undefined {
  const end = successor(prefix);
  if (prefix === "" && after === "") return { text: "", values: {} };
  if (compareKeys(after, prefix) < 0) {
    return { text: " AND begins_with(sk, :prefix)", values: { ":prefix": { S: prefix } } };
  }
  if (end === undefined) return { text: " AND sk > :after", values: { ":after": { S: after } } };
  if (compareKeys(after, end) >= 0) return undefined;
  return { text: " AND sk BETWEEN :after AND :end", values: { ":after": { S: after }, ":end": { S: end } } };
}
