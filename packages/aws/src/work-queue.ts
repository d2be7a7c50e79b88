import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { QueueMessage, WorkQueue } from "@tracemill/core/ports/work-queue.ts";
import { awsError, isAwsError } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";

export interface SqsWorkQueueOptions {
  client: SQSClient;
  queueUrl: string;
  patience?: Patience;
}

const maxBodyBytes = 256 * 1024;
/** SQS's own limits. */
const maxDelaySeconds = 900;
const maxInvisibleSeconds = 12 * 3_600;
const maxWaitSeconds = 20;

/** What SQS says about a message that was removed, or handed to somebody else, in the meantime. */
const passedOn = [
  "ReceiptHandleIsInvalid",
  "MessageNotInflight",
  "AWS.SimpleQueueService.MessageNotInflight",
];

type Send = <T>(action: string, work: () => Promise<T>) => Promise<T>;

/**
 * A standard SQS queue: at least once, in no order; how long a message stays hidden and when it goes to the dead
 * letters is the queue's own setting. A body that is no JSON (sent by hand) comes as its text, so that who handles
 * the message refuses it like any other that is wrong.
 * @throws TracemillError as the port says, and `not-found` (no such queue), `unauthorized` (names the IAM action).
 */
export function sqsWorkQueue({ client, queueUrl, patience }: SqsWorkQueueOptions): WorkQueue {
  const send: Send = async (action, work) => {
    try {
      return await patiently(work, patience);
    } catch (error) {
      throw queueError(error, queueUrl, action);
    }
  };
  return {
    async send(body, { delayMs = 0 } = {}) {
      const command = new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: textOf(body),
        DelaySeconds: seconds(delayMs, maxDelaySeconds, "delayMs"),
      });
      await send("sqs:SendMessage", () => client.send(command));
    },
    async receive({ max, waitMs, signal }) {
      if (!Number.isInteger(max) || max < 1 || max > 10) {
        throw new TracemillError("invalid-input", `receive: max is ${max}; it may be 1 to 10`);
      }
      signal?.throwIfAborted();
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: max,
        WaitTimeSeconds: Math.min(maxWaitSeconds, Math.ceil(waitMs / 1_000)),
        MessageSystemAttributeNames: ["ApproximateReceiveCount"],
      });
      const options = signal === undefined ? {} : { abortSignal: signal };
      const { Messages = [] } = await send("sqs:ReceiveMessage", () => client.send(command, options)).catch(
        (error: unknown) => {
          signal?.throwIfAborted();
          throw error;
        },
      );
      return Messages.map((message) => received(client, queueUrl, message, send));
    },
  };
}

function received(client: SQSClient, queueUrl: string, message: Message, send: Send): QueueMessage {
  const handle = { QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle };
  return {
    id: message.MessageId ?? "",
    body: bodyOf(message.Body ?? ""),
    receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    acknowledge: () =>
      send("sqs:DeleteMessage", () => unlessPassedOn(() => client.send(new DeleteMessageCommand(handle)))),
    release: (delayMs = 0) => {
      const VisibilityTimeout = seconds(delayMs, maxInvisibleSeconds, "delayMs");
      return send("sqs:ChangeMessageVisibility", () =>
        unlessPassedOn(() =>
          client.send(new ChangeMessageVisibilityCommand({ ...handle, VisibilityTimeout })),
        ),
      );
    },
  };
}

async function unlessPassedOn(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isAwsError(error, ...passedOn) && !isExpired(error)) throw error;
  }
}

/** A handle that is too old is no error of its own to SQS, but a wrong parameter. */
function isExpired(error: unknown): boolean {
  return isAwsError(error, "InvalidParameterValue") && /receipt ?handle/i.test(error.message);
}

/** JSON in the characters that SQS takes: all but the two noncharacters, which it refuses, are as they were. */
function textOf(body: unknown): string {
  const json: string | undefined = JSON.stringify(body);
  if (json === undefined) throw new TracemillError("invalid-input", "the message has no JSON form");
  const text = json.replace(/[\ufffe\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBodyBytes) return text;
  throw new TracemillError(
    "invalid-input",
    `the message has ${bytes} bytes; ${maxBodyBytes} are allowed: put it into an object and send its key`,
  );
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function seconds(ms: number, most: number, name: string): number {
  const whole = Math.ceil(ms / 1_000);
  if (whole >= 0 && whole <= most) return whole;
  throw new TracemillError("invalid-input", `${name} is ${ms}; it may be 0 to ${most * 1_000}`);
}

function queueError(error: unknown, queueUrl: string, action: string): TracemillError {
  if (isAwsError(error, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")) {
    const message = `queue ${queueUrl} does not exist; deploy the stage that it belongs to, or correct its address`;
    return new TracemillError("not-found", message, { cause: error });
  }
  return awsError(error, { doing: `queue ${queueUrl}`, action });
}
