import { type Stage, type StepName, stages } from "@tracemill/core/pipeline/stages.ts";
import type { Catcher, States } from "./language.ts";
import { outgrown } from "./retries.ts";
import { functionOfStep, type PipelineTargets } from "./targets.ts";
import { executionInput, functionTask, jobTask, stepSubmission } from "./tasks.ts";

export const recordFailure = "record failure";

/** Whatever else fails is recorded under this step's name; then the execution fails. */
export function failAs(stage: string): Catcher {
  return {
    ErrorEquals: ["States.ALL"],
    ResultPath: "$.error",
    Assign: { failed: stage },
    Next: recordFailure,
  };
}

/** The state of a step that runs as a job. */
export function jobStateOf(name: StepName, targets: PipelineTargets): string {
  return hasFunction(name, targets) ? `${name} in a job` : name;
}

function hasFunction(name: StepName, targets: PipelineTargets): boolean {
  return targets.functions[functionOfStep[name]] !== undefined;
}

/**
 * A step: in a function as long as it is small, then in a job. The function says `unfinished` before its time
 * runs out; the step is resumable, so that the job goes on where it stopped.
 */
export function stepStates(name: StepName, next: string, targets: PipelineTargets): States {
  const { title } = stages.find((stage: Stage) => stage.name === name) ?? { title: name };
  const job = jobStateOf(name, targets);
  const inJob = jobTask(
    { comment: title, submit: stepSubmission(name, targets), catches: [failAs(name)] },
    targets,
    { Next: next },
  );
  const functionArn = targets.functions[functionOfStep[name]];
  if (functionArn === undefined) return { [job]: inJob };
  const done = `${name} done?`;
  return {
    [name]: functionTask(
      {
        comment: title,
        functionArn,
        payload: executionInput,
        resultSelector: { "unfinished.$": "$.Payload.unfinished" },
        resultPath: "$.step",
        catches: [{ ErrorEquals: outgrown, ResultPath: null, Next: job }, failAs(name)],
      },
      targets,
      { Next: done },
    ),
    [done]: {
      Type: "Choice",
      Choices: [{ Variable: "$.step.unfinished", BooleanEquals: true, Next: job }],
      Default: next,
    },
    [job]: inJob,
  };
}
