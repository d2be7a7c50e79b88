import type { IngestMessage } from "@tracemill/aws/pipeline/messages.ts";
import { StackInfo } from "@tracemill/aws/stack.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SQSEvent } from "aws-lambda";
import type { Deadline } from "../src/deadline.ts";
import type { Executions, Jobs, Log, RunningExecution } from "../src/ports.ts";

/** A log whose lines a test can look at. */
export function keptLog(): Log & { text(): string; lines: { level: string; message: string }[] } {
  const lines: { level: string; message: string }[] = [];
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    lines.push({ level, message: `${message} ${JSON.stringify(fields ?? {})}` });
  };
  return {
    lines,
    text: () => lines.map(({ message }) => message).join("\n"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  };
}

/** A deadline that comes when the test says so. */
export function manualDeadline(): Deadline & { come(): void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    come: () => controller.abort(new TracemillError("cancelled", "the time runs short")),
    caused: (error) =>
      controller.signal.aborted && error instanceof TracemillError && error.code === "cancelled",
    [Symbol.dispose]: () => undefined,
  };
}

/** A queue that keeps what is sent. */
export function keptQueue(): { sent: IngestMessage[]; send(body: unknown): Promise<void> } {
  const sent: IngestMessage[] = [];
  return {
    sent,
    send: async (body) => {
      sent.push(JSON.parse(JSON.stringify(body)) as IngestMessage);
    },
  };
}

/** What Lambda hands a function for messages of a queue. */
export function sqsEvent(bodies: readonly string[]): SQSEvent {
  return {
    Records: bodies.map((body, index) => ({
      messageId: `msg-${index + 1}`,
      receiptHandle: `receipt-${index + 1}`,
      body,
      attributes: {
        ApproximateReceiveCount: "1",
        SentTimestamp: "0",
        SenderId: "test",
        ApproximateFirstReceiveTimestamp: "0",
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:eu-central-1:000000000000:ingest",
      awsRegion: "eu-central-1",
    })),
  };
}

export interface KeptExecutions extends Executions {
  started: { name: string; input: unknown }[];
  stopped: { arn: string; cause: string }[];
}

/** Executions of which those in `running` have not ended. */
export function keptExecutions(running: readonly RunningExecution[] = []): KeptExecutions {
  const started: KeptExecutions["started"] = [];
  const stopped: KeptExecutions["stopped"] = [];
  return {
    started,
    stopped,
    start: async (execution) => {
      if (!started.some(({ name }) => name === execution.name)) started.push(execution);
    },
    stop: async (arn, cause) => {
      stopped.push({ arn, cause });
    },
    running: async function* () {
      yield* running;
    },
    causeOf: async () => undefined,
  };
}

/** Jobs in queues; the ended ones are noted. */
export function keptJobs(
  live: readonly { queue: string; jobId: string; jobName: string; execution: string }[],
): Jobs & { terminated: string[] } {
  const terminated: string[] = [];
  return {
    terminated,
    live: async function* ({ queue, namePrefix }) {
      yield* live.filter((job) => job.queue === queue && job.jobName.startsWith(namePrefix));
    },
    terminate: async (jobId) => {
      terminated.push(jobId);
    },
  };
}

const target = (name: string) => ({ queue: `queue-${name}`, definition: `def-${name}` });

/** A stage with everything that a stage can have. */
export const fullStack: StackInfo = StackInfo.parse({
  schemaVersion: 1,
  stage: "test",
  region: "eu-central-1",
  bucket: "bucket",
  table: "table",
  stateMachineArn: "arn:aws:states:eu-central-1:000000000000:stateMachine:tracemill-test",
  functions: { "export-small": "arn:aws:lambda:eu-central-1:000000000000:function:export-small" },
  ingestQueueUrl: "https://sqs/ingest",
  ingestDeadLettersUrl: "https://sqs/ingest-dead",
  imageRepository: "000000000000.dkr.ecr.eu-central-1.amazonaws.com/tracemill-test",
  secretPrefix: "tracemill/test/",
  jobs: {
    step: target("step"),
    container: target("container"),
    host: target("host"),
    gpu: target("gpu"),
    sandbox: { queue: "queue-sandbox", definition: "def-sandbox-" },
    image: target("image"),
  },
  onDemandQueues: { container: "steady-container", host: "steady-host" },
  logGroups: { jobs: "jobs", functions: "functions", stateMachine: "machine" },
  sizes: {
    step: { vcpus: 1, memoryMiB: 2048 },
    container: { vcpus: 1, memoryMiB: 2048 },
    host: { vcpus: 4, memoryMiB: 8192 },
    gpu: { vcpus: 4, memoryMiB: 16384, gpus: 1 },
    sandbox: { vcpus: 4, memoryMiB: 8192 },
    image: { vcpus: 2, memoryMiB: 4096 },
  },
});
