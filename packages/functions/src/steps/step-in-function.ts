import type { ExecutionInput, StepResult } from "@tracemill/aws/pipeline/messages.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import type { StepHandler } from "@tracemill/core/pipeline/handlers.ts";
import { outputsBefore, runStepBy } from "@tracemill/core/pipeline/stage-record.ts";
import type { StepName } from "@tracemill/core/pipeline/stages.ts";
import type { Deadline } from "../deadline.ts";

/** The one step that a function has, so that its bundle holds nothing of the others. */
export interface FunctionStep {
  name: StepName;
  work: StepHandler;
}

/**
 * Runs a step of a run until it is done or the function's time runs short. What it did by then is stored: a job
 * without that limit goes on with it. A step that is done already is not run again, but for an export, which
 * costs only the reading of the results when nothing is new.
 * @throws what is wrong with the step itself.
 */
export async function stepInFunction(
  { runId }: Pick<ExecutionInput, "runId">,
  { name, work }: FunctionStep,
  deadline: Deadline,
  deps: PipelineDeps,
): Promise<StepResult> {
  try {
    const outputs = await outputsBefore(runId, name, deps);
    await runStepBy(work, { runId, name, outputs }, deps, name === "export");
    return { unfinished: false };
  } catch (error) {
    if (deadline.caused(error)) return { unfinished: true };
    throw error;
  }
}
