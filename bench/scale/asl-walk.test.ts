import { describe, expect, test } from "vitest";
import type { Retrier, State, StateMachine, TaskState } from "../../infra/asl/language.ts";
import { filled, valueAt, withResult } from "./asl-paths.ts";
import { type Outcome, type TaskCall, Walk, type WalkWorld } from "./asl-walk.ts";
import { EventLoop } from "./event-loop.ts";
import { TokenBucket } from "./token-bucket.ts";

const retry: Retrier = {
  ErrorEquals: ["Batch.TooManyRequestsException"],
  IntervalSeconds: 10,
  MaxAttempts: 2,
  BackoffRate: 2,
  MaxDelaySeconds: 15,
  JitterStrategy: "FULL",
};

function job(parts: Partial<TaskState>): State {
  return {
    Type: "Task",
    Resource: "arn:aws:states:::batch:submitJob.sync",
    Parameters: { "JobName.$": "States.Format('job-{}', $.id)" },
    ResultPath: null,
    Retry: [retry],
    Catch: [
      { ErrorEquals: ["States.ALL"], ResultPath: "$.error", Assign: { failed: "job" }, Next: "failed" },
    ],
    End: true,
    ...parts,
  } as State;
}

function walked(
  machine: StateMachine,
  answer: (call: TaskCall, count: number) => Outcome,
  { input = { id: 1 }, items = [] }: { input?: unknown; items?: unknown[] } = {},
) {
  const loop = new EventLoop();
  const calls: TaskCall[] = [];
  const world: WalkWorld = {
    loop,
    random: () => 0.5,
    transitionBucket: new TokenBucket(1_000, 1_000),
    task(call, done) {
      calls.push(call);
      loop.after(1, () => done(answer(call, calls.length)));
    },
    items: () => items[Symbol.iterator](),
  };
  const walk = new Walk(world);
  let outcome: Outcome | undefined;
  walk.start(machine, input, (ended) => {
    outcome = ended;
  });
  loop.run();
  return { outcome, calls, counts: walk.counts, seconds: loop.now };
}

const failed: State = { Type: "Fail", ErrorPath: "$.error.Error", CausePath: "$.error.Cause" };
const done = { output: {} };
const busy = { error: "Batch.TooManyRequestsException", cause: "slow down" };

describe("the walk of a state machine", () => {
  test("counts a transition for the start and for each state", () => {
    const states: StateMachine["States"] = {
      first: { Type: "Pass", Result: { n: 1 }, ResultPath: "$.made", Next: "which?" },
      "which?": {
        Type: "Choice",
        Choices: [{ And: [{ Variable: "$.traced", BooleanEquals: true }], Next: "never" }],
        Default: "job",
      },
      job: job({}),
      never: { Type: "Succeed" },
      failed,
    };
    const { outcome, calls, counts } = walked({ StartAt: "first", States: states }, () => done, {
      input: { id: 7, traced: false },
    });
    expect(outcome).toEqual({ output: { id: 7, traced: false, made: { n: 1 } } });
    expect(calls).toEqual([{ api: "batch:submitJob.sync", parameters: { JobName: "job-7" } }]);
    expect(counts.transitions.total).toBe(1 + 3);
    // Started and ended; entered and left three times; a job is scheduled, started, submitted, and succeeds.
    expect(counts.mostEvents).toBe(2 + 3 * 2 + 4);
  });

  test("tries again with backoff and jitter, each try a transition", () => {
    const { outcome, counts, seconds } = walked(
      { StartAt: "job", States: { job: job({}), failed } },
      (_call, count) => (count < 3 ? busy : done),
    );
    expect(outcome).toHaveProperty("output");
    expect(counts).toMatchObject({ retries: 2 });
    expect(counts.transitions.total).toBe(2 + 2);
    // Half of 10 s, then half of the 15 s that 20 s are cut to; three tries of 1 s; a step before each, and one to start.
    expect(seconds).toBeCloseTo(5 + 7.5 + 3 + 4 * 0.05);
  });

  test("goes on to what catches the error once no try is left", () => {
    const { outcome, calls } = walked({ StartAt: "job", States: { job: job({}), failed } }, () => busy);
    expect(calls).toHaveLength(3);
    expect(outcome).toEqual({ error: busy.error, cause: busy.cause });
  });

  const map = (parts: object = {}): State =>
    ({
      Type: "Map",
      Label: "shards",
      ItemReader: {
        Resource: "arn:aws:states:::s3:getObject",
        ReaderConfig: { InputType: "JSON" },
        Parameters: { "Bucket.$": "$.bucket", "Key.$": "$.key" },
      },
      MaxConcurrencyPath: "$.at_once",
      ToleratedFailureCount: 1,
      ItemProcessor: {
        ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" },
        StartAt: "job",
        States: { job: job({ Catch: [] }) },
      },
      ResultWriter: { Resource: "arn:aws:states:::s3:putObject", Parameters: {} },
      ResultPath: null,
      Retry: [],
      Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: "failed" }],
      End: true,
      ...parts,
    }) as State;
  const mapInput = { bucket: "b", key: "k", at_once: 2 };
  const five = [1, 2, 3, 4, 5].map((id) => ({ id }));

  test("goes over a list with no more children at once than allowed", () => {
    const { outcome, counts } = walked({ StartAt: "map", States: { map: map(), failed } }, () => done, {
      input: mapInput,
      items: five,
    });
    expect(outcome).toEqual({ output: mapInput });
    expect(counts.children.highest).toBe(2);
    expect(counts.executions).toBe(1 + 5);
    // The map's own two, and two for each child.
    expect(counts.transitions.total).toBe(2 + 5 * 2);
  });

  test("tolerates as many failed items as the map says, and no more", () => {
    const failing = (ids: number[]) => (call: TaskCall) =>
      ids.some((id) => call.parameters.JobName === `job-${id}`)
        ? { error: "States.TaskFailed", cause: "" }
        : done;
    const over = (ids: number[]) =>
      walked({ StartAt: "map", States: { map: map(), failed } }, failing(ids), {
        input: mapInput,
        items: five,
      });
    expect(over([2]).outcome).toEqual({ output: mapInput });
    expect(over([2, 4]).outcome).toMatchObject({ error: "States.ExceedToleratedFailureThreshold" });
  });

  test("ends with an error at a field that it does not know", () => {
    const states = { job: job({ HeartbeatSeconds: 5 } as never) };
    expect(() => walked({ StartAt: "job", States: states }, () => done)).toThrow(
      "job: the walker does not know the field HeartbeatSeconds",
    );
    expect(() => walked({ StartAt: "x", States: { x: { Type: "Wait" } as never } }, () => done)).toThrow(
      "a state of type Wait",
    );
  });
});

describe("paths", () => {
  const scope = { input: { a: { b: [1] }, runId: "run_01J" }, variables: { failed: "plan" } };

  test("read the input and variables, and fill templates", () => {
    expect(valueAt("$.a.b", scope)).toEqual([1]);
    expect(filled({ "stage.$": "$failed", fixed: { "all.$": "$" } }, scope)).toEqual({
      stage: "plan",
      fixed: { all: scope.input },
    });
    const share = "States.ArrayGetItem(States.StringSplit($.runId, '_'), 1)";
    expect(filled({ "share.$": share, "text.$": "States.JsonToString($.a)" }, scope)).toEqual({
      share: "01J",
      text: '{"b":[1]}',
    });
  });

  test("put a result where it belongs", () => {
    expect(withResult({ a: 1 }, "$.b.c", 2)).toEqual({ a: 1, b: { c: 2 } });
    expect(withResult({ a: 1 }, null, 2)).toEqual({ a: 1 });
  });

  test.each(["$.a[0]", "$..b", "$.nothing", "States.UUID()"])("refuse %s", (path) => {
    expect(() => filled({ "x.$": path }, scope)).toThrow();
  });
});
