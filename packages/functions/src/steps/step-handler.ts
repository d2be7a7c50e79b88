import { ExecutionInput, type StepResult } from "@tracemill/aws/pipeline/messages.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { deadlineOf } from "../deadline.ts";
import { log, objects, records } from "../deps.ts";
import { handlerOf, type Invocation } from "../edge.ts";
import { specOf, stepDeps } from "./step-deps.ts";
import { type FunctionStep, stepInFunction } from "./step-in-function.ts";

/** What not every step needs. */
interface StepParts {
  agents?(): PipelineDeps["agents"];
  production?(spec: RunSpec): Promise<PipelineDeps["production"]>;
  files?(): Pick<PipelineDeps, "parquet" | "scratch">;
}

/** The handler of a step that the state machine runs as a function. */
export function stepHandler(step: FunctionStep, parts: StepParts = {}) {
  return handlerOf(`input of ${step.name}`, ExecutionInput, (input, invocation) =>
    runStepOf(input, step, invocation, parts),
  );
}

export async function runStepOf(
  input: ExecutionInput,
  step: FunctionStep,
  invocation: Invocation,
  { agents, production, files }: StepParts = {},
): Promise<StepResult> {
  using deadline = deadlineOf(invocation.getRemainingTimeInMillis());
  const { signal } = deadline;
  const spec = await specOf(input, objects());
  const api = await production?.(spec);
  const deps = stepDeps(input, spec, {
    objects: objects(),
    records: records(),
    requestId: invocation.awsRequestId,
    signal,
    log: log(),
    ...(agents === undefined ? {} : { agents: agents() }),
    ...(api === undefined ? {} : { production: api }),
    ...(files === undefined ? {} : { files: files() }),
  });
  const result = await stepInFunction(input, step, deadline, deps);
  log().info(result.unfinished ? "goes on in a job" : "step done", { runId: input.runId, step: step.name });
  return result;
}
