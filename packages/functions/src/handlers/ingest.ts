import { ExecutionInput, IngestMessage, type StepResult } from "@tracemill/aws/pipeline/messages.ts";
import { productionOf } from "@tracemill/aws/pipeline/production.ts";
import { ingestStep } from "@tracemill/core/pipeline/handlers.ts";
import { setRunState } from "@tracemill/core/run/runs.ts";
import type { SQSEvent } from "aws-lambda";
import * as z from "zod";
import { config } from "../config.ts";
import { deadlineOf } from "../deadline.ts";
import { clock, events, ingestQueue, log, objects, records, secrets, stack } from "../deps.ts";
import { handlerOf, type Invocation } from "../edge.ts";
import { type MirrorDeps, mirrorSource } from "../ingest/mirror.ts";
import { mirrorRecords } from "../ingest/queue-records.ts";
import { runStepOf } from "../steps/step-handler.ts";

const QueueEvent = z.custom<SQSEvent>(
  (event) => z.looseObject({ Records: z.array(z.unknown()) }).safeParse(event).success,
);

/** Three callers: the state machine (a run's step), the schedule (a source), and the queue (a source, further on). */
const IngestEvent = z.union([QueueEvent, IngestMessage, ExecutionInput]);

/** Mirrors a source: for a run, or on a schedule, with the queue to go on. */
export const handler = handlerOf("event of ingest", IngestEvent, async (event, invocation) => {
  if ("runId" in event) return ingestForRun(event, invocation);
  using deadline = deadlineOf(invocation.getRemainingTimeInMillis());
  const deps = await mirrorDeps();
  if ("Records" in event) return await mirrorRecords(event, deadline, deps);
  // Lambda tries an invocation of the schedule again under the same id.
  return await mirrorSource({ ...event, firing: event.firing ?? invocation.awsRequestId }, deadline, deps);
});

/** The first step of an execution: whatever the run was before, it is at work now. */
async function ingestForRun(input: ExecutionInput, invocation: Invocation): Promise<StepResult> {
  await setRunState(input.runId, { status: "running" }, records());
  const production = async (spec: Parameters<typeof productionOf>[0]) =>
    productionOf(spec, { ...(await secretAccess()), prodBaseUrl: config().prodBaseUrl });
  return runStepOf(input, { name: "ingest", work: ingestStep }, invocation, { production });
}

async function secretAccess() {
  return { secrets: await secrets(), secretPrefix: (await stack()).secretPrefix };
}

async function mirrorDeps(): Promise<MirrorDeps> {
  return {
    ...(await secretAccess()),
    objects: objects(),
    records: records(),
    clock,
    random: Math.random,
    fetch: globalThis.fetch,
    queue: await ingestQueue(),
    events: events(),
    stage: config().stage,
    prodBaseUrl: config().prodBaseUrl,
    log: log(),
  };
}
