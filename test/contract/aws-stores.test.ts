import { randomUUID } from "node:crypto";
import { CreateSecretCommand } from "@aws-sdk/client-secrets-manager";
import { CreateQueueCommand, GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { secretsManagerStore } from "@tracemill/aws/secrets.ts";
import { sqsWorkQueue } from "@tracemill/aws/work-queue.ts";
import { afterAll, beforeAll, describe } from "vitest";
import { dynamodbLocalMissing, startDynamodbLocal } from "../emulators/dynamodb-local.ts";
import { startMoto } from "../emulators/moto.ts";
import { createBucket, createTable, emulated } from "../emulators/resources.ts";
import type { ServerProcess } from "../emulators/server-process.ts";
import { pythonMissing } from "../emulators/venv.ts";
import { captureStoreContract } from "./capture-store.ts";
import { objectCaptures } from "./object-captures.ts";
import { objectStoreContract } from "./object-store.ts";
import { recordStoreContract } from "./record-store.ts";
import { secretStoreContract } from "./secrets.ts";
import { workQueueContract } from "./work-queue.ts";

/** The first use of an emulator fetches it. */
const fetchMs = 300_000;

function onEmulator(
  name: string,
  missing: string | undefined,
  start: () => Promise<ServerProcess>,
  suites: (endpoint: () => string) => void,
): void {
  const title = missing === undefined ? name : `${name} (skipped: ${missing})`;
  describe.skipIf(missing !== undefined)(title, () => {
    let server: ServerProcess | undefined;
    beforeAll(async () => {
      server = await start();
    }, fetchMs);
    afterAll(() => server?.close());
    suites(() => server?.endpoint ?? "");
  });
}

onEmulator("moto", await pythonMissing(), startMoto, (endpoint) => {
  objectStoreContract("S3", () => openBucket(endpoint()));
  objectStoreContract("S3 below a prefix", () => openBucket(endpoint(), "team a/"));
  captureStoreContract("S3", () => openCaptures(endpoint()));
  recordStoreContract("DynamoDB", () => openTable(endpoint()));
  workQueueContract("SQS", ({ visibleAfterMs, maxReceives }) =>
    openQueue(endpoint(), visibleAfterMs, maxReceives),
  );
  secretStoreContract("Secrets Manager", () => openSecrets(endpoint()));
});

onEmulator("DynamoDB Local", await dynamodbLocalMissing(), startDynamodbLocal, (endpoint) => {
  recordStoreContract("DynamoDB", () => openTable(endpoint()));
});

async function openBucket(endpoint: string, prefix = "") {
  const client = s3Client(emulated(endpoint));
  const bucket = `tracemill-${randomUUID()}`;
  await createBucket(endpoint, bucket);
  return { store: s3ObjectStore({ client, bucket, prefix }), close: async () => client.destroy() };
}

async function openCaptures(endpoint: string) {
  const { store: objects, close } = await openBucket(endpoint);
  return { ...objectCaptures(objects), close };
}

async function openTable(endpoint: string) {
  const client = dynamodbClient(emulated(endpoint));
  const table = `tracemill-${randomUUID()}`;
  await createTable(client, table);
  return { store: dynamoRecordStore({ client, table }), close: async () => client.destroy() };
}

async function openQueue(endpoint: string, visibleAfterMs: number, maxReceives: number) {
  const client = sqsClient(emulated(endpoint));
  const name = randomUUID();
  const create = async (QueueName: string, Attributes: Record<string, string>): Promise<string> =>
    (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? "";
  const deadUrl = await create(`${name}-dead`, {});
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: deadUrl, AttributeNames: ["QueueArn"] }),
  );
  const url = await create(name, {
    VisibilityTimeout: String(Math.ceil(visibleAfterMs / 1_000)),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: Attributes?.QueueArn,
      maxReceiveCount: maxReceives,
    }),
  });
  return {
    queue: sqsWorkQueue({ client, queueUrl: url }),
    deadLetters: sqsWorkQueue({ client, queueUrl: deadUrl }),
    close: async () => client.destroy(),
  };
}

async function openSecrets(endpoint: string) {
  const client = secretsManagerClient(emulated(endpoint));
  const prefix = `tracemill/${randomUUID()}/`;
  return {
    store: secretsManagerStore({ client, prefix }),
    async set(name: string, value: string) {
      await client.send(new CreateSecretCommand({ Name: prefix + name, SecretString: value }));
    },
    close: async () => client.destroy(),
  };
}
