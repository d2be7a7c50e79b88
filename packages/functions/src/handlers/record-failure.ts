import { FailureInput } from "@tracemill/aws/pipeline/messages.ts";
import * as z from "zod";
import { clock, executions, jobLogs, jobs, log, objects, records, stack } from "../deps.ts";
import { handlerOf } from "../edge.ts";
import { ExecutionEvent, executionEnded } from "../failures/ended-execution.ts";
import { recordFailure } from "../failures/record-failure.ts";

/** Two callers: a Catch of the state machine, and EventBridge about an execution that ended badly. */
const FailureEvent = z.union([FailureInput, ExecutionEvent]);

/** Records why a part of a run failed, or why all of it stopped. */
export const handler = handlerOf("event of record-failure", FailureEvent, async (event) => {
  if ("detail" in event) {
    const found = await stack();
    await executionEnded(event, {
      records: records(),
      clock,
      executions: await executions(),
      jobs: jobs(),
      stack: found,
      log: log(),
    });
    return {};
  }
  return recordFailure(event, {
    objects: objects(),
    records: records(),
    clock,
    jobLogs: await jobLogs(),
    log: log(),
  });
});
