import { batchOwner } from "@tracemill/aws/owner.ts";
import { assumptions } from "@tracemill/core/cost/assumptions.ts";
import { transitions } from "@tracemill/core/cost/control-lines.ts";
import { parseCostFile } from "@tracemill/core/cost/cost-file.ts";
import { estimate } from "@tracemill/core/cost/estimate.ts";
import { listBytes } from "@tracemill/core/cost/limit-checks.ts";
import { totalOf } from "@tracemill/core/cost/lines.ts";
import { limits, prices } from "@tracemill/core/cost/prices.ts";
import { evaluateCalls, traceCalls } from "@tracemill/core/cost/trial-work.ts";
import { describe, expect, test } from "vitest";
import { Settings } from "../../infra/settings.ts";
import { planScenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { complaints, costOf, peaksOf } from "./verdict.ts";

const undisturbed = {
  ...assumptions,
  spotInterruptionsPerHour: 0,
  heartbeatSeconds: 1e9,
  reportSeconds: 1e9,
};

describe("a simulated run", () => {
  test("walks the synthesized machine: four transitions a shard, sixteen for the rest at most", async () => {
    const scenario = await planScenario({ trials: 640, jobs: 100, sandbox: "namespace" });
    const { outcome, walk, batch, machines } = simulate(scenario, {
      seed: 1,
      limits,
      assumptions: undisturbed,
    });
    expect(outcome).toHaveProperty("output");
    expect(scenario.plan.shards).toHaveLength(10);
    expect(walk.executions).toBe(1 + 10);
    expect(walk.entered.get("trace")).toBe(10);
    expect(walk.entered.get("evaluate")).toBe(10);
    const ofRun = walk.transitions.total - 10 * transitions.perShard;
    expect(ofRun).toBe(transitions.perRun);
    // Two jobs a shard and the export.
    expect(batch.submits.total).toBe(21);
    expect(machines.step.launches.total).toBe(1);
  });

  test("asks the stores for what each trial asks for, once", async () => {
    const scenario = await planScenario({ trials: 640, jobs: 100, sandbox: "namespace" });
    const { meters } = simulate(scenario, { seed: 1, limits, assumptions: undisturbed });
    const sort = scenario.shape.groups[0]?.sorts[0];
    expect(scenario.shape.groups).toHaveLength(1);
    if (sort === undefined) throw new Error("a plan has trials");
    const perTrial = traceCalls(sort).objectPuts + evaluateCalls(sort).objectPuts;
    // 3 % of the trials are traced twice. A put for each task and shard, two for the round's list.
    const beside = 32 + 10 + 2;
    expect((meters.puts.total - beside) / 640).toBeGreaterThanOrEqual(perTrial);
    expect((meters.puts.total - beside) / 640).toBeLessThan(perTrial * 1.05);
  });

  test("loses no trial to interruptions: their jobs are tried again", async () => {
    const scenario = await planScenario({ trials: 6_400, jobs: 100, sandbox: "namespace" });
    const rough = { ...assumptions, spotInterruptionsPerHour: 0.5 };
    const { outcome, batch, walk } = simulate(scenario, { seed: 3, limits, assumptions: rough });
    expect(outcome).toHaveProperty("output");
    expect(batch.interrupted).toBeGreaterThan(5);
    expect(batch.failed).toBe(0);
    expect(walk.entered.get("record trace failure")).toBeUndefined();
  });

  test("says so when capacity is taken away for good, and records each shard's failure", async () => {
    const scenario = await planScenario({ trials: 640, jobs: 100, sandbox: "namespace" });
    const hopeless = { ...assumptions, spotInterruptionsPerHour: 60 };
    const simulation = simulate(scenario, { seed: 3, limits, assumptions: hopeless });
    expect(simulation.walk.entered.get("record trace failure")).toBe(10);
    const peaks = peaksOf(scenario, simulation, limits);
    expect(complaints(scenario, simulation, peaks, [])).toContain(
      "jobs that failed for good: 10, 0 jobs allowed",
    );
  });

  test("builds images first where each task has a container of its own", async () => {
    const scenario = await planScenario({ trials: 640, jobs: 100, sandbox: "job" });
    const { walk } = simulate(scenario, { seed: 1, limits, assumptions: undisturbed });
    expect(scenario.plan.shards).toHaveLength(80);
    expect(walk.entered.get("image")).toBe(1);
    expect(walk.executions).toBe(1 + 1 + 80);
  });

  test("gives the same figures for the same seed, and others for another", async () => {
    const scenario = await planScenario({ trials: 6_400, jobs: 50, sandbox: "namespace" });
    const seconds = (seed: number) => simulate(scenario, { seed, limits }).seconds;
    expect(seconds(5)).toBe(seconds(5));
    expect(seconds(5)).not.toBe(seconds(6));
  });
});

describe("an estimate and the simulation of the same plan", () => {
  test("agree on the control plane, on compute and on time", async () => {
    const scenario = await planScenario({ trials: 64_000, jobs: 200, sandbox: "namespace" });
    const simulation = simulate(scenario, { seed: 1, limits });
    const lines = costOf(scenario, simulation, prices);
    const jobs = Object.fromEntries(["host", "container"].map((kind) => [kind, { maxVcpus: 1e6 }]));
    const basis = parseCostFile({ assumptions: { jobs } }, "roomy");
    const guess = estimate(scenario.shape, scenario.spec, basis);
    const near = (ratio: number, by: number) => {
      expect(ratio).toBeGreaterThan(1 / by);
      expect(ratio).toBeLessThan(by);
    };
    near(guess.totals.control / totalOf(lines, "control"), 1.1);
    near(guess.totals.compute / totalOf(lines, "compute"), 1.25);
    near(guess.timeline.seconds / simulation.seconds, 1.35);
  });

  test("agree on the size of lists", async () => {
    const scenario = await planScenario({ trials: 640, jobs: 100, sandbox: "namespace" });
    const { largestItem } = simulate(scenario, { seed: 1, limits });
    expect(largestItem).toBeLessThan(listBytes.shardItem);
    expect(JSON.stringify(scenario.plan.shards[0]).length).toBeLessThan(listBytes.shard);
  });
});

test("an estimate's jobs are those that a stage has by default", () => {
  const { compute } = Settings.parse({});
  for (const kind of ["step", "container", "host", "gpu", "sandbox"] as const) {
    const { vcpus, memoryMiB } = compute[kind];
    expect([kind, assumptions.jobs[kind].vcpus]).toEqual([kind, vcpus]);
    expect(Math.abs(assumptions.jobs[kind].memoryGiB * 1_024 - memoryMiB)).toBeLessThan(1_000);
  }
  expect(assumptions.jobs.host.maxVcpus).toBe(compute.host.maxVcpus);
  expect(assumptions.jobs.container.maxVcpus).toBe(compute.container.maxVcpus);
});

test("an estimate's heartbeat is that of a worker on Batch", () => {
  const place = { execution: "e", stage: "trace", target: "shd", jobId: "j", attempt: 1 };
  expect(batchOwner(place).heartbeatMs).toBe(assumptions.heartbeatSeconds * 1_000);
});
