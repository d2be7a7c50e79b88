import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "../../../test/emulators/fault-proxy.ts";
import { emulated } from "../../../test/emulators/resources.ts";
import { sqsClient } from "./clients/sqs.ts";
import { sqsWorkQueue } from "./work-queue.ts";

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy();
});
afterEach(() => proxy.close());

function answer(status: number, body: unknown): Fault {
  return { status, headers: { "content-type": "application/x-amz-json-1.0" }, body: JSON.stringify(body) };
}

function queue() {
  const client = sqsClient({ ...emulated(proxy.endpoint), maxAttempts: 1 });
  const queueUrl = `${proxy.endpoint}/123456789012/ingest`;
  return sqsWorkQueue({ client, queueUrl, patience: { patienceMs: 0 } });
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** One message with this body; every other call gets the second answer. */
function holding(body: string, others: Fault = answer(200, {})): void {
  const message = { MessageId: "m", ReceiptHandle: "r", Body: body, MD5OfBody: md5(body) };
  const attributes = { Attributes: { ApproximateReceiveCount: "3" } };
  proxy.rule(({ action }) =>
    action === "ReceiveMessage" ? answer(200, { Messages: [{ ...message, ...attributes }] }) : others,
  );
}

test("a message that somebody sent by hand comes as its text, so that its handler can refuse it", async () => {
  holding("not {json}");
  const [message] = await queue().receive({ max: 1, waitMs: 0 });
  expect(message).toMatchObject({ id: "m", body: "not {json}", receiveCount: 3 });
});

test.each([
  ["ReceiptHandleIsInvalid", ""],
  ["MessageNotInflight", ""],
  ["InvalidParameterValue", "Value r for parameter ReceiptHandle is invalid. Reason: has expired."],
])(
  "a message that was handed on meanwhile is acknowledged and released silently (%s)",
  async (type, text) => {
    holding("1", answer(400, { __type: `com.amazonaws.sqs#${type}`, message: text }));
    const [message] = await queue().receive({ max: 1, waitMs: 0 });
    await message?.acknowledge();
    await message?.release(1_000);
    expect(proxy.seen.map(({ action }) => action)).toEqual([
      "ReceiveMessage",
      "DeleteMessage",
      "ChangeMessageVisibility",
    ]);
  },
);

test("a queue that is not there, and a permission that is missing, are named", async () => {
  proxy.rule(() => answer(400, { __type: "com.amazonaws.sqs#QueueDoesNotExist", message: "no" }));
  await expect(queue().send(1)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("123456789012/ingest does not exist"),
  });
  proxy.rule(() => answer(403, { __type: "AccessDeniedException", message: "no" }));
  await expect(queue().send(1)).rejects.toMatchObject({
    code: "unauthorized",
    message: expect.stringContaining("allow sqs:SendMessage"),
  });
});

test("a delay that SQS does not know is refused, not shortened", async () => {
  await expect(queue().send(1, { delayMs: 901_000 })).rejects.toMatchObject({
    code: "invalid-input",
    message: expect.stringContaining("900000"),
  });
  expect(proxy.seen).toEqual([]);
});
