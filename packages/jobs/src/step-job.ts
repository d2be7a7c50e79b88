import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import { outputsBefore, runStep } from "@tracemill/core/pipeline/stage-record.ts";
import type { StepArguments } from "./arguments.ts";
import { stepLog } from "./event-log.ts";
import type { JobLog } from "./log.ts";

/**
 * Runs a step of a run to its end, going on with what an earlier function or job did of it. A step that is done
 * is not run again, but for the export: trials may have ended since, and it costs only reading when none has.
 */
export async function runStepJob(
  { runId, stage }: Pick<StepArguments, "runId" | "stage">,
  deps: PipelineDeps,
  log: JobLog,
): Promise<void> {
  const earlier = await outputsBefore(runId, stage, deps);
  const onEvent = stepLog({ log, clock: deps.clock });
  const { output, found } = await runStep(runId, stage, earlier, { ...deps, onEvent }, stage === "export");
  log.info("step-done", { output, found });
}
