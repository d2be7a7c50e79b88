import { randomBytes } from "node:crypto";
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { TracemillError } from "@tracemill/core/errors.ts";
import { assertRecordKey } from "@tracemill/core/ports/record-key.ts";
import type { RecordKey, RecordStore, WriteCondition } from "@tracemill/core/ports/record-store.ts";
import { attemptsOf, awsError, isAwsError } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";
import { dataAttribute } from "./record-data.ts";
import { type RecordIndex, recordIndex } from "./record-index.ts";
import { type Item, recordOf } from "./record-item.ts";
import { queryPartition } from "./record-query.ts";

export interface DynamoRecordStoreOptions {
  client: DynamoDBClient;
  table: string;
  patience?: Patience;
  /** Marks a write, so that it is known again when its answer was lost. Default 72 random bits in 12 characters. */
  newMark?: () => string;
}

/** DynamoDB holds 400 KB an item, names of attributes and keys included; the rest of a row needs less than 8 KB. */
const maxDataBytes = 392 * 1024;

/** Calls DynamoDB about the table. */
export type SendToTable = <T>(action: string, work: (again: boolean) => Promise<T>) => Promise<T>;

/**
 * Records in a DynamoDB table with the keys `pk` and `sk`. `data` is the JSON text (`record-data.ts`): DynamoDB's own numbers
 * have 38 digits and end at 1e126, and would not give back what was put. Reads are strongly consistent; nothing ever scans.
 *
 * Every write leaves a mark of its own, so that a write that DynamoDB made, but whose answer was lost, is known again
 * when it is retried, and not taken for somebody else's. A delete leaves nothing to know it by: one whose answer may
 * have been lost, and whose record is gone, counts as done.
 * @throws TracemillError as the port says, and `not-found` (no such table), `unauthorized` (names the IAM action),
 * `invalid-input` (more than 392 KB of data); `storage-failed` is retryable after throttling and cut connections.
 */
export function dynamoRecordStore(options: DynamoRecordStoreOptions): RecordStore {
  const { client, table, patience, newMark = randomMark } = options;
  const send: SendToTable = async (action, work) => {
    try {
      return await patiently(work, patience);
    } catch (error) {
      throw tableError(error, table, action);
    }
  };
  return {
    async get(key) {
      assertRecordKey(key);
      const command = new GetItemCommand({ TableName: table, Key: keyItem(key), ConsistentRead: true });
      const { Item } = await send("dynamodb:GetItem", () => client.send(command));
      return Item === undefined ? undefined : recordOf(Item);
    },
    async put(key, data, condition) {
      assertRecordKey(key);
      const write = { key, text: jsonOf(key, data), index: recordIndex(key, data), mark: newMark() };
      return send("dynamodb:UpdateItem", () => update(client, table, write, condition));
    },
    async delete(key, condition) {
      assertRecordKey(key);
      if (condition === "absent") return (await this.get(key)) === undefined;
      return send("dynamodb:DeleteItem", (again) => remove(client, table, key, condition, again));
    },
    query: (pk, query) => queryPartition({ client, table, send }, pk, query ?? {}),
  };
}

/** Short: a row is billed by the KB, and a traced trial's has little to spare. */
function randomMark(): string {
  return randomBytes(9).toString("base64url");
}

function keyItem({ pk, sk }: RecordKey): Item {
  return { pk: { S: pk }, sk: { S: sk } };
}

interface Write {
  key: RecordKey;
  text: string;
  index: RecordIndex;
  mark: string;
}

const indexAttributes = ["gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"] as const;

async function update(
  client: DynamoDBClient,
  table: string,
  { key, text, index, mark }: Write,
  condition: WriteCondition,
): Promise<number | undefined> {
  const set = indexAttributes.filter((name) => index[name] !== undefined);
  const gone = indexAttributes.filter((name) => index[name] === undefined);
  const values: Record<string, AttributeValue> = {
    ":data": dataAttribute(text),
    ":mark": { S: mark },
    ":none": { N: "0" },
    ":one": { N: "1" },
    ...Object.fromEntries(set.map((name) => [`:${name}`, { S: index[name] ?? "" }])),
    ...(typeof condition === "object" && { ":version": { N: String(condition.version) } }),
  };
  const assignments = [
    "#version = if_not_exists(#version, :none) + :one",
    "#data = :data",
    "#mark = :mark",
    ...set.map((name) => `${name} = :${name}`),
  ];
  try {
    const { Attributes } = await client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: keyItem(key),
        UpdateExpression: `SET ${assignments.join(", ")}${gone.length > 0 ? ` REMOVE ${gone.join(", ")}` : ""}`,
        ConditionExpression: conditionText(condition),
        ExpressionAttributeNames: { "#version": "version", "#data": "data", "#mark": "mark" },
        ExpressionAttributeValues: values,
        ReturnValues: "UPDATED_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    return Number(Attributes?.version?.N);
  } catch (error) {
    const found = itemOf(error);
    // The row as an earlier try of this very call left it.
    return found?.mark?.S === mark ? Number(found.version?.N) : undefined;
  }
}

/** `any` too has a condition: a retried write that was made already must not be made again. */
function conditionText(condition: WriteCondition): string {
  if (condition === "absent") return "attribute_not_exists(pk)";
  if (condition === "any") return "attribute_not_exists(pk) OR #mark <> :mark";
  return "#version = :version";
}

/** The row that made a condition fail, `undefined` when there was none. @throws any other error again. */
function itemOf(error: unknown): Item | undefined {
  if (error instanceof ConditionalCheckFailedException) return error.Item;
  throw error;
}

async function remove(
  client: DynamoDBClient,
  table: string,
  key: RecordKey,
  condition: "any" | { version: number },
  again: boolean,
): Promise<boolean> {
  const command = new DeleteItemCommand({
    TableName: table,
    Key: keyItem(key),
    ...(condition !== "any" && {
      ConditionExpression: "#version = :version",
      ExpressionAttributeNames: { "#version": "version" },
      ExpressionAttributeValues: { ":version": { N: String(condition.version) } },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    }),
  });
  try {
    await client.send(command);
    return true;
  } catch (error) {
    const isGone = itemOf(error) === undefined;
    return isGone && (again || attemptsOf(error) > 1);
  }
}

function jsonOf({ pk, sk }: RecordKey, data: unknown): string {
  const text: string | undefined = JSON.stringify(data);
  if (text === undefined) {
    throw new TracemillError("invalid-input", `record ${pk}/${sk}: its data has no JSON form`);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxDataBytes) return text;
  throw new TracemillError(
    "invalid-input",
    `record ${pk}/${sk}: ${Math.ceil(bytes / 1024)} KB of data; a row holds ${maxDataBytes / 1024} KB: put it into an object and keep its key`,
  );
}

function tableError(error: unknown, table: string, action: string): TracemillError {
  if (isAwsError(error, "ResourceNotFoundException")) {
    return new TracemillError(
      "not-found",
      `table ${table} does not exist in this account and region; deploy the stage that it belongs to, or correct its name`,
      { cause: error },
    );
  }
  return awsError(error, { doing: `table ${table}`, action });
}
