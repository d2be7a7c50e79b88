import { jobNamePrefix } from "@tracemill/aws/pipeline/job-names.ts";
import { ImageItem, ShardItem } from "@tracemill/aws/pipeline/messages.ts";
import type { Shard } from "@tracemill/core/run/plan.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { describe, expect, test } from "vitest";
import { fullStack } from "../../test/fakes.ts";
import { imageItem, type JobSource, shardItem } from "./job-items.ts";

const input = {
  runId: "run_01JABCDEFGHJKMNPQRSTVWXYZ0",
  execution: "run_01JABCDEFGHJKMNPQRSTVWXYZ0-1",
  startedAt: 1_790_000_000_000,
  resumed: false,
};

const shard: Shard = {
  shardId: "shd_0123456789abcdef01234567",
  environment: "a".repeat(64),
  sandboxed: { trace: true, evaluate: true },
  trials: 64,
};

function source(spec: Record<string, unknown> = {}, parts: Partial<JobSource> = {}): JobSource {
  const parsed = parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "oracle" }], ...spec }, "spec");
  return { input, spec: parsed, stack: fullStack, ...parts };
}

const served = { models: { m: {} } };

describe("the jobs of a shard", () => {
  test.each([
    { why: "namespaces want a host", shard, spec: {}, queues: ["queue-host", "queue-host"] },
    {
      why: "nothing in a sandbox wants no more than a container",
      shard: { ...shard, sandboxed: { trace: false, evaluate: true } },
      spec: {},
      queues: ["queue-container", "queue-host"],
    },
    {
      why: "a served model wants a GPU to trace, and none to evaluate",
      shard: { ...shard, model: "m" },
      spec: served,
      queues: ["queue-gpu", "queue-host"],
    },
    {
      why: "a model that is served elsewhere wants no GPU",
      shard: { ...shard, model: "other" },
      spec: served,
      queues: ["queue-host", "queue-host"],
    },
    {
      why: "containers of the task's image have a queue of their own",
      shard,
      spec: { sandbox: "job" },
      queues: ["queue-sandbox", "queue-sandbox"],
    },
    {
      why: "a spec without Spot has the steady queues where the stage has some",
      shard: { ...shard, model: "m", sandboxed: { trace: true, evaluate: false } },
      spec: { ...served, aws: { spot: false } },
      queues: ["queue-gpu", "steady-container"],
    },
  ])("go where they can run: $why", ({ shard: given, spec, queues }) => {
    const item = ShardItem.parse(shardItem(given, false, source(spec)));
    expect([item.trace.queue, item.evaluate.queue]).toEqual(queues);
  });

  test("use the definition of their environment when they have its containers", () => {
    const { trace } = shardItem(shard, false, source({ sandbox: "job" }));
    expect(trace.definition).toBe(`def-sandbox-${shard.environment}`);
  });

  test("tell the worker what it is to do, and are named for the run", () => {
    const { trace, evaluate } = shardItem(shard, true, source({}, { input: { ...input, resumed: true } }));
    expect(trace.parameters).toEqual({
      stage: "trace",
      runId: input.runId,
      target: shard.shardId,
      execution: input.execution,
      startedAt: "1790000000000",
      resumed: "true",
    });
    expect(evaluate.jobName).toBe(`tm-${input.runId}-${shard.shardId}-evaluate`);
    expect(evaluate.jobName.startsWith(jobNamePrefix(input.runId))).toBe(true);
  });

  test("fit what Batch takes for names and tags, whatever the run is called", () => {
    const name = `n${"a.b_c-".repeat(60)}`;
    const item = ImageItem.parse(imageItem("e/n v:".repeat(40), source({ name })));
    expect(item.image.jobName).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/);
    for (const value of Object.values(item.image.tags)) expect(value).toMatch(/^[\w +\-=.:/@]{1,256}$/);
  });

  test.each([
    {
      why: "all waves of all attempts",
      spec: { limits: { time: "10m" }, retry: { max: 1 }, concurrency: 8 },
      hours: 1 + 16 * (2 / 3),
    },
    {
      why: "never more than Fargate allows",
      spec: { limits: { time: "24h" }, concurrency: 1 },
      hours: 14 * 24,
    },
  ])("are taken for stuck after $why", ({ spec, hours }) => {
    expect(shardItem(shard, false, source(spec)).trace.timeoutSeconds).toBe(Math.ceil(hours * 3_600));
  });

  test("are refused when the stage has no GPU, or a model and a container cannot be had together", () => {
    const { gpu: _, ...jobs } = fullStack.jobs;
    const withModel = { ...shard, model: "m" };
    expect(() => shardItem(withModel, false, source(served, { stack: { ...fullStack, jobs } }))).toThrow(
      "stage test has no GPU capacity",
    );
    expect(() => shardItem(withModel, false, source({ ...served, sandbox: "job" }))).toThrow(
      "say `sandbox: namespace`",
    );
  });
});
