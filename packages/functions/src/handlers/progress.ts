import { sumShards } from "@tracemill/core/run/progress.ts";
import type { DynamoDBStreamEvent } from "aws-lambda";
import * as z from "zod";
import { clock, executions, log, metrics, objects, records } from "../deps.ts";
import { handlerOf } from "../edge.ts";
import { publishChanges } from "../progress/stream-records.ts";

const StreamEvent = z.custom<DynamoDBStreamEvent>(
  (event) => z.looseObject({ Records: z.array(z.looseObject({})) }).safeParse(event).success,
  "is no batch of a DynamoDB stream",
);

/** Sums the shards of the runs that changed, publishes what came, and stops a run at its cap. */
export const handler = handlerOf("event of progress", StreamEvent, async (event) =>
  publishChanges(event, {
    objects: objects(),
    records: records(),
    clock,
    executions: await executions(),
    sumShards: (runId) => sumShards(runId, records()),
    metrics: metrics(),
    log: log(),
  }),
);
