import { afterEach, beforeEach, expect, test } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "../../../test/emulators/fault-proxy.ts";
import { emulated } from "../../../test/emulators/resources.ts";
import { gather } from "../../../test/fakes/gather.ts";
import { dynamodbClient } from "./clients/dynamodb.ts";
import { dynamoRecordStore } from "./record-store.ts";

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy();
});
afterEach(() => proxy.close());

const key = { pk: "run#1", sk: "trial#1" };

function store() {
  const client = dynamodbClient({ ...emulated(proxy.endpoint), maxAttempts: 1 });
  return dynamoRecordStore({ client, table: "tracemill-prod", patience: { patienceMs: 0 } });
}

function answer(status: number, body: unknown): Fault {
  return { status, headers: { "content-type": "application/x-amz-json-1.0" }, body: JSON.stringify(body) };
}

test("data that no row can hold is refused before it is sent, with what to do", async () => {
  await expect(store().put(key, "x".repeat(400_000 + 2_000), "any")).rejects.toMatchObject({
    code: "invalid-input",
    message: expect.stringMatching(/run#1\/trial#1: 393 KB.*put it into an object/),
  });
  expect(proxy.seen).toEqual([]);
});

test("a table that is not there is named, with what to do", async () => {
  proxy.rule(() => answer(400, { __type: "x#ResourceNotFoundException", message: "not found" }));
  await expect(store().get(key)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringMatching(/table tracemill-prod does not exist.*deploy/),
  });
});

test("a permission that is missing is named by its action", async () => {
  proxy.rule(() => answer(400, { __type: "x#AccessDeniedException", message: "not authorized" }));
  const allow = (action: string) => ({ code: "unauthorized", message: expect.stringContaining(action) });
  await expect(store().get(key)).rejects.toMatchObject(allow("dynamodb:GetItem"));
  await expect(store().put(key, 1, "any")).rejects.toMatchObject(allow("dynamodb:UpdateItem"));
  await expect(store().delete(key, "any")).rejects.toMatchObject(allow("dynamodb:DeleteItem"));
  await expect(gather(store().query("run#1"))).rejects.toMatchObject(allow("dynamodb:Query"));
});

test("a row that is not ours is named, not guessed at", async () => {
  proxy.rule(() => answer(200, { Item: { pk: { S: "run#1" }, sk: { S: "trial#1" } } }));
  await expect(store().get(key)).rejects.toMatchObject({
    code: "storage-corrupt",
    message: expect.stringContaining("run#1/trial#1"),
  });
});
