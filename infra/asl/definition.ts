import { type Leg, legs, type StepName } from "@tracemill/core/pipeline/stages.ts";
import { decision, imageMap, shardMap } from "./fan-outs.ts";
import type { ChoiceState, StateMachine, States, TaskState, Transition } from "./language.ts";
import { failAs, jobStateOf, recordFailure, stepStates } from "./steps.ts";
import { functionOfStep, type PipelineTargets } from "./targets.ts";
import { executionInput, functionTask } from "./tasks.ts";

const beginRounds = "begin rounds";

/**
 * The state machine of a stage, from core's list of stages. Its input is `ExecutionInput`; its states are named
 * after the stages. Steps before the fan-outs run once; then rounds of fan-outs until nothing is left to do;
 * then the steps after them.
 */
export function pipelineDefinition(targets: PipelineTargets, walked: readonly Leg[] = legs()): StateMachine {
  const { before, names, last } = inOrder(walked);
  const [first] = before;
  const states: States = Object.assign(
    {},
    ...before.map((name, index) => stepStates(name, before[index + 1] ?? beginRounds, targets)),
    roundStates(names, last, targets),
    stepStates(last, "end run", targets),
    endStates(targets),
  );
  return {
    Comment: "Tracemill: one run. Input: runId, execution, startedAt, resumed",
    StartAt: first ?? beginRounds,
    States: states,
  };
}

/** Steps, one chain of fan-outs, one last step: the shape that rounds are made for. */
function inOrder(walked: readonly Leg[]) {
  const before = walked.slice(0, -2);
  const [chain, last] = walked.slice(-2);
  const steps = before.flatMap((leg) => (leg.kind === "step" ? [leg.name] : []));
  if (chain?.kind !== "fan-out" || last?.kind !== "step" || steps.length !== before.length) {
    throw new Error("the state machine wants steps, then one chain of fan-outs, then one step");
  }
  return { before: steps, names: chain.names, last: last.name };
}

function roundStates(
  names: Parameters<typeof shardMap>[0],
  last: StepName,
  targets: PipelineTargets,
): States {
  return {
    [beginRounds]: {
      Type: "Pass",
      Result: { result: { round: 0 } },
      ResultPath: "$.collected",
      Next: "collect",
    },
    collect: functionTask(
      {
        comment: "Looks at what is stored and decides what is next",
        functionArn: targets.functions.collect,
        payload: { ...executionInput, "round.$": `${decision}.round` },
        resultSelector: { "result.$": "$.Payload" },
        resultPath: "$.collected",
        catches: [failAs("collect")],
      },
      targets,
      { Next: "what next?" },
    ),
    "what next?": whatNext(last, targets),
    "build images": imageMap("collect", targets),
    shards: shardMap(names, "collect", targets),
  };
}

function whatNext(last: StepName, targets: PipelineTargets): ChoiceState {
  const next = { Variable: `${decision}.next` };
  const small = { Variable: `${decision}.in`, StringEquals: "function" };
  const hasFunction = targets.functions[functionOfStep[last]] !== undefined;
  return {
    Type: "Choice",
    Choices: [
      { ...next, StringEquals: "images", Next: "build images" },
      { ...next, StringEquals: "shards", Next: "shards" },
      ...(hasFunction ? [{ And: [{ ...next, StringEquals: "export" }, small], Next: last }] : []),
      { ...next, StringEquals: "export", Next: jobStateOf(last, targets) },
      { ...next, StringEquals: "stopped", Next: "end stopped run" },
    ],
    Default: "undecided",
  };
}

function endStates(targets: PipelineTargets): States {
  return {
    "end run": endRun({ status: "finished" }, targets, { Next: "finished" }),
    finished: { Type: "Succeed" },
    "end stopped run": endRun({ status: "stopped", "reason.$": `${decision}.reason` }, targets, {
      Next: "stopped",
    }),
    stopped: { Type: "Fail", Error: "Tracemill.Stopped", CausePath: `${decision}.reason` },
    undecided: {
      Type: "Fail",
      Error: "Tracemill.Undecided",
      Cause: "`collect` and the state machine are of different versions: deploy the stage again",
    },
    [recordFailure]: recordRunFailure(targets),
    failed: { Type: "Fail", ErrorPath: "$.error.Error", CausePath: "$.error.Cause" },
  };
}

function endRun(how: Record<string, string>, targets: PipelineTargets, then: Transition): TaskState {
  return functionTask(
    {
      comment: `Marks the run ${how.status}`,
      functionArn: targets.functions["end-run"],
      payload: { "runId.$": "$.runId", "execution.$": "$.execution", ...how },
      resultPath: null,
      catches: [failAs("end run")],
    },
    targets,
    then,
  );
}

function recordRunFailure(targets: PipelineTargets): TaskState {
  return functionTask(
    {
      comment: "Keeps why the run failed",
      functionArn: targets.functions["record-failure"],
      payload: {
        "runId.$": "$.runId",
        "execution.$": "$.execution",
        "stage.$": "$failed",
        target: "-",
        "error.$": "$.error",
      },
      resultPath: null,
      // The execution's own cause stays the first one; the rule on failed executions records it again.
      catches: [{ ErrorEquals: ["States.ALL"], ResultPath: null, Next: "failed" }],
    },
    targets,
    { Next: "failed" },
  );
}
