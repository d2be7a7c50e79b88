import { CollectInput } from "@tracemill/aws/pipeline/messages.ts";
import { readRunSpec } from "@tracemill/core/run/runs.ts";
import { collectRound } from "../collect/collect.ts";
import { clock, log, objects, records, stack, taskImages } from "../deps.ts";
import { handlerOf } from "../edge.ts";

/** Looks at what is stored of a run, and decides what its execution does next. */
export const handler = handlerOf("input of collect", CollectInput, async (input) => {
  const result = await collectRound(input, {
    objects: objects(),
    records: records(),
    spec: await readRunSpec(input.runId, objects()),
    clock,
    stack: await stack(),
    taskImages,
  });
  log().info("next", { runId: input.runId, execution: input.execution, ...result });
  return result;
});
