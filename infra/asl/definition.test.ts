import { createRequire } from "node:module";
import { legs, stages } from "@tracemill/core/pipeline/stages.ts";
import { expect, test } from "vitest";
import { pipelineDefinition } from "./definition.ts";
import { edgesOf, graphMermaid, graphText } from "./graph.ts";
import type { State, StateMachine, States } from "./language.ts";
import { sampleTargets } from "./sample.ts";

/** The package has no types. */
const validate = createRequire(import.meta.url)("asl-validator") as (definition: unknown) => unknown;

const { "export-small": _, ...fewer } = sampleTargets.functions;
const machines = {
  "with small exports in a function": pipelineDefinition(sampleTargets),
  "with all exports in jobs": pipelineDefinition({ ...sampleTargets, functions: fewer }),
};

/** Every state with its name, those of maps' items among them. */
function* all(states: States): Generator<[string, State]> {
  for (const [name, state] of Object.entries(states)) {
    yield [name, state];
    if (state.Type === "Map") yield* all(state.ItemProcessor.States);
  }
}
const statesOf = ({ States }: StateMachine) => [...all(States)];
const [machine] = Object.values(machines) as [StateMachine];

for (const [which, definition] of Object.entries(machines)) {
  test(`Step Functions can read the machine ${which}`, () => {
    expect(validate(JSON.parse(JSON.stringify(definition)))).toMatchObject({ isValid: true });
  });

  test(`every state of the machine ${which} is reached and leads somewhere`, () => {
    const check = (start: string, states: States): void => {
      const reached = new Set([start]);
      for (const name of reached) {
        const state = states[name];
        if (state === undefined) throw new Error(`no state ${name}`);
        for (const { to } of edgesOf(state)) if (to !== undefined) reached.add(to);
        if (state.Type === "Map") check(state.ItemProcessor.StartAt, state.ItemProcessor.States);
      }
      expect([...reached].toSorted()).toEqual(Object.keys(states).toSorted());
    };
    check(definition.StartAt, definition.States);
  });

  test(`state names of the machine ${which} are unique, short and say what they do`, () => {
    const names = statesOf(definition).map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z ?-]{2,40}$/);
  });
}

test("the console shows the stages of core under their own names, in their order", () => {
  const names = statesOf(machine).map(([name]) => name);
  const own = stages.map(({ name }) => name);
  expect(names.filter((name) => own.some((stage) => stage === name))).toEqual(own);
  expect(machine.StartAt).toBe(own[0]);
});

test("the graph is as drawn", async () => {
  await expect(`${graphText(machine)}\n`).toMatchFileSnapshot("pipeline.graph.txt");
});

test("the diagram of the docs draws every state once", () => {
  const diagram = graphMermaid(machine);
  for (const [name] of statesOf(machine)) expect(diagram.split(`"${name}"`)).toHaveLength(2);
});

test("without a function for exports the job has the stage's name", () => {
  const { export: state, "export in a job": absent } = machines["with all exports in jobs"].States;
  expect(state).toMatchObject({ Resource: "arn:aws:states:::batch:submitJob.sync" });
  expect(absent).toBeUndefined();
});

test("a machine in another partition calls that partition's services", () => {
  const text = JSON.stringify(pipelineDefinition({ ...sampleTargets, partition: "aws-cn" }));
  expect(text).not.toContain("arn:aws:states:");
});

test("stages of a shape that rounds are not made for are refused", () => {
  expect(() => pipelineDefinition(sampleTargets, legs().slice(0, -1))).toThrow("one chain of fan-outs");
  expect(() =>
    pipelineDefinition(sampleTargets, [{ kind: "fan-out", names: ["evaluate"] }, ...legs().slice(-1)]),
  ).toThrow("begin with `trace`");
});

test("whatever fails is recorded before the execution fails", () => {
  for (const [name, state] of Object.entries(machine.States)) {
    if (state.Type !== "Task" && state.Type !== "Map") continue;
    if (name === "record failure") continue;
    expect(state.Catch?.at(-1), name).toMatchObject({ ErrorEquals: ["States.ALL"], Next: "record failure" });
  }
  expect(machine.States["record failure"]).toMatchObject({ Next: "failed" });
  expect(machine.States.failed).toEqual({
    Type: "Fail",
    ErrorPath: "$.error.Error",
    CausePath: "$.error.Cause",
  });
});

test("a shard's failure is recorded with its stage, and its item ends well", () => {
  const { shards } = machine.States;
  if (shards?.Type !== "Map") throw new Error("no map");
  const { States } = shards.ItemProcessor;
  for (const stage of ["trace", "evaluate"]) {
    expect(States[stage]).toMatchObject({
      Catch: [{ ErrorEquals: ["States.ALL"], Next: `record ${stage} failure` }],
    });
    expect(States[`record ${stage} failure`]).toMatchObject({
      End: true,
      Parameters: { Payload: { stage, "target.$": "$.shardId", "error.$": "$.error" } },
    });
  }
});

test("passing troubles are tried again, spread at random and with a limit", () => {
  for (const [name, state] of statesOf(machine)) {
    if (state.Type !== "Task" && state.Type !== "Map") continue;
    for (const retrier of state.Retry) {
      expect(retrier.BackoffRate, name).toBeGreaterThan(1);
      expect(retrier.MaxDelaySeconds, name).toBeGreaterThanOrEqual(retrier.IntervalSeconds);
      expect(retrier, name).toMatchObject({ JitterStrategy: "FULL" });
      // A job or a handler that failed for good is not among them.
      expect(retrier.ErrorEquals).not.toContain("States.ALL");
      expect(retrier.ErrorEquals).not.toContain("States.TaskFailed");
    }
    expect(state.Retry.length, name).toBeGreaterThan(0);
  }
});

test("a step that outgrows its function goes on as a job", () => {
  const edges = Object.values(machine.States).flatMap((state) => edgesOf(state));
  for (const step of ["ingest", "prepare", "plan", "export"]) {
    const ways = edges.filter(({ to }) => to === `${step} in a job`).map(({ when }) => when);
    expect(ways).toContain("if unfinished");
    expect(ways.some((when) => when?.includes("Sandbox.Timedout"))).toBe(true);
  }
});

test("jobs are submitted with all that the entry point takes, as text", () => {
  const { "plan in a job": state } = machine.States;
  if (state?.Type !== "Task") throw new Error("no task");
  const { Parameters } = state;
  expect(Object.keys(Parameters.Parameters as object).map((key) => key.replace(".$", ""))).toEqual([
    "stage",
    "runId",
    "target",
    "execution",
    "startedAt",
    "resumed",
  ]);
  expect(Parameters).toMatchObject({
    Parameters: { "startedAt.$": "States.JsonToString($.startedAt)" },
    Tags: { "tracemill:run.$": "$.runId", "tracemill:stage-of-run": "plan" },
    PropagateTags: true,
  });
});

test("maps read their list from the bucket and write their report there: no state holds a list", () => {
  for (const name of ["build images", "shards"]) {
    expect(machine.States[name]).toMatchObject({
      ItemReader: { Resource: "arn:aws:states:::s3:getObject" },
      ResultWriter: { Resource: "arn:aws:states:::s3:putObject" },
      MaxConcurrencyPath: "$.collected.result.list.concurrency",
      ItemProcessor: { ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" } },
      ResultPath: null,
    });
  }
});

test("the definition is far below Step Functions' megabyte, and its literals below a state's 256 KiB", () => {
  expect(Buffer.byteLength(JSON.stringify(machine))).toBeLessThan(100_000);
  for (const [name, state] of statesOf(machine)) {
    if (state.Type === "Map") continue;
    expect(Buffer.byteLength(JSON.stringify(state)), name).toBeLessThan(8_192);
  }
});
