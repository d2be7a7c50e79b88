import type { FanOutName } from "@tracemill/core/pipeline/stages.ts";
import type { Catcher, MapState, States, TaskState } from "./language.ts";
import { readerRetries } from "./retries.ts";
import { failAs } from "./steps.ts";
import type { PipelineTargets } from "./targets.ts";
import { functionTask, itemSubmission, jobTask } from "./tasks.ts";

/** Where `collect` leaves its decision (`CollectResult`). */
export const decision = "$.collected.result";

/**
 * An item fails only when even its failure could not be recorded. The others go on, until that befell so many
 * that the table itself must be in trouble. (A count, as emulators refuse a whole percentage.)
 */
const unrecordedFailures = 25;

/** What a map goes over. */
interface FanOut {
  /** Names the state and its runs. */
  name: string;
  comment: string;
  start: string;
  states: States;
  /** The state that looks at what is stored and decides how to go on. */
  next: string;
}

/** The shards of a round: each goes through the chain of fan-out stages, one job a stage. */
export function shardMap(names: readonly FanOutName[], next: string, targets: PipelineTargets): MapState {
  const [first, second] = names;
  if (first !== "trace" || second === undefined) {
    throw new Error(
      `\`traced\` of a shard wants fan-outs that begin with \`trace\`, not ${names.join(", ")}`,
    );
  }
  const start = "traced already?";
  const states: States = {
    [start]: {
      Type: "Choice",
      Comment: "After a resume a shard may have only its verification left",
      Choices: [{ Variable: "$.traced", BooleanEquals: true, Next: second }],
      Default: first,
    },
  };
  for (const [index, name] of names.entries()) {
    Object.assign(states, shardStates(name, names[index + 1], targets));
  }
  return distributed({ name: "shards", comment: "One item a shard", start, states, next }, targets);
}

function shardStates(name: FanOutName, following: string | undefined, targets: PipelineTargets): States {
  return itemStates(
    { name, target: "$.shardId", comment: `The job that does \`${name}\`` },
    following,
    targets,
  );
}

/** The task images that a round's shards need and that are not there. */
export function imageMap(next: string, targets: PipelineTargets): MapState {
  const states = itemStates(
    { name: "image", target: "$.environment", comment: "Builds and pushes the image of one environment" },
    undefined,
    targets,
  );
  return distributed(
    { name: "build images", comment: "One item an environment", start: "image", states, next },
    targets,
  );
}

interface ItemStep {
  /** The state; the item's field of this name holds the job. */
  name: string;
  target: string;
  comment: string;
}

/** A job of an item. When it fails for good that is recorded, and the item ends well: others are not stopped. */
function itemStates(step: ItemStep, following: string | undefined, targets: PipelineTargets): States {
  const record = `record ${step.name} failure`;
  const failed: Catcher = { ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: record };
  const then = following === undefined ? ({ End: true } as const) : { Next: following };
  const job = { comment: step.comment, submit: itemSubmission(`$.${step.name}`), catches: [failed] };
  return { [step.name]: jobTask(job, targets, then), [record]: recordItem(step, targets) };
}

function recordItem(step: ItemStep, targets: PipelineTargets): TaskState {
  const payload = {
    "runId.$": "$.runId",
    "execution.$": "$.execution",
    stage: step.name,
    "target.$": step.target,
    "error.$": "$.error",
  };
  const functionArn = targets.functions["record-failure"];
  const comment = `Keeps why \`${step.name}\` failed for good`;
  return functionTask({ comment, functionArn, payload, resultPath: null, catches: [] }, targets, {
    End: true,
  });
}

function distributed(fanOut: FanOut, targets: PipelineTargets): MapState {
  const from = (resource: string) => `arn:${targets.partition}:states:::s3:${resource}`;
  const list = `${decision}.list`;
  return {
    Type: "Map",
    Comment: fanOut.comment,
    Label: fanOut.name.replaceAll(" ", "-"),
    ItemReader: {
      Resource: from("getObject"),
      ReaderConfig: { InputType: "JSON" },
      Parameters: { "Bucket.$": `${list}.bucket`, "Key.$": `${list}.key` },
    },
    MaxConcurrencyPath: `${list}.concurrency`,
    ToleratedFailureCount: unrecordedFailures,
    ItemProcessor: {
      ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" },
      StartAt: fanOut.start,
      States: fanOut.states,
    },
    ResultWriter: {
      Resource: from("putObject"),
      Parameters: { "Bucket.$": `${list}.bucket`, "Prefix.$": `${list}.results` },
    },
    ResultPath: null,
    Retry: readerRetries,
    Catch: [
      // The map's report is for people; what its items did is in the stores.
      { ErrorEquals: ["States.ResultWriterFailed"], ResultPath: null, Next: fanOut.next },
      failAs(fanOut.name),
    ],
    Next: fanOut.next,
  };
}
