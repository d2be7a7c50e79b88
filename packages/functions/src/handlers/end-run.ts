import { EndInput } from "@tracemill/aws/pipeline/messages.ts";
import { clock, log, records } from "../deps.ts";
import { handlerOf } from "../edge.ts";
import { endRun } from "../end-run.ts";

/** Writes how a run ended. */
export const handler = handlerOf("input of end-run", EndInput, async (input) => {
  const run = await endRun(input, { records: records(), clock });
  log().info("run ended", { runId: run.runId, status: run.status });
  return { status: run.status };
});
