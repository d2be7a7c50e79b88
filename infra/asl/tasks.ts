import type { Catcher, TaskState, Template, Transition } from "./language.ts";
import { functionRetries, submitRetries } from "./retries.ts";
import type { PipelineTargets } from "./targets.ts";

/** The execution's input, as steps and functions get it (`ExecutionInput`). */
export const executionInput: Record<string, Template> = {
  "runId.$": "$.runId",
  "execution.$": "$.execution",
  "startedAt.$": "$.startedAt",
  "resumed.$": "$.resumed",
};

interface FunctionCall {
  comment: string;
  functionArn: string;
  payload: Record<string, Template>;
  /** Where the function's answer goes in the state's output; `null`: nowhere. */
  resultPath: string | null;
  resultSelector?: Record<string, Template>;
  catches: readonly Catcher[];
}

export function functionTask(call: FunctionCall, targets: PipelineTargets, then: Transition): TaskState {
  return {
    Type: "Task",
    Comment: call.comment,
    Resource: `arn:${targets.partition}:states:::lambda:invoke`,
    Parameters: { FunctionName: call.functionArn, Payload: call.payload },
    ...(call.resultSelector === undefined ? {} : { ResultSelector: call.resultSelector }),
    ResultPath: call.resultPath,
    // A function lives for 900 s at most; an answer that is not there then never comes.
    TimeoutSeconds: 930,
    Retry: functionRetries,
    ...(call.catches.length === 0 ? {} : { Catch: call.catches }),
    ...then,
  };
}

interface Job {
  comment: string;
  /** `SubmitJob`'s own fields; those common to all jobs are added. */
  submit: Record<string, Template>;
  catches: readonly Catcher[];
}

/** Submits a Batch job and waits for its end. Its result, a page of JSON, is dropped: records say what it did. */
export function jobTask(job: Job, targets: PipelineTargets, then: Transition): TaskState {
  return {
    Type: "Task",
    Comment: job.comment,
    Resource: `arn:${targets.partition}:states:::batch:submitJob.sync`,
    Parameters: {
      ...job.submit,
      PropagateTags: true,
      // Queues share by run. A share's name has letters and digits only: the ULID of `run_<ULID>`.
      "ShareIdentifier.$": "States.ArrayGetItem(States.StringSplit($.runId, '_'), 1)",
      // A queue that shares refuses jobs without a priority; all have the same.
      SchedulingPriorityOverride: 1,
    },
    ResultPath: null,
    Retry: submitRetries,
    Catch: job.catches,
    ...then,
  };
}

/** A step of the run as a job (`JobItem` of a step). */
export function stepSubmission(step: string, targets: PipelineTargets): Record<string, Template> {
  return {
    "JobName.$": `States.Format('tm-{}-${step}', $.runId)`,
    JobQueue: targets.step.queue,
    JobDefinition: targets.step.definition,
    Parameters: {
      stage: step,
      "runId.$": "$.runId",
      target: "-",
      "execution.$": "$.execution",
      "startedAt.$": "States.JsonToString($.startedAt)",
      "resumed.$": "States.JsonToString($.resumed)",
    },
    Tags: { "tracemill:run.$": "$.runId", "tracemill:stage-of-run": step },
  };
}

/** The job that a round's item describes (`JobItem`), at `path` of the item. */
export function itemSubmission(path: string): Record<string, Template> {
  return {
    "JobName.$": `${path}.jobName`,
    "JobQueue.$": `${path}.queue`,
    "JobDefinition.$": `${path}.definition`,
    "Parameters.$": `${path}.parameters`,
    "Tags.$": `${path}.tags`,
    Timeout: { "AttemptDurationSeconds.$": `${path}.timeoutSeconds` },
  };
}
