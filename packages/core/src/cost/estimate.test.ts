import { describe, expect, test } from "vitest";
import { parseRunSpec, type RunSpec } from "../run/spec.ts";
import { assumptions } from "./assumptions.ts";
import { defaultBasis, parseCostFile } from "./cost-file.ts";
import { type CostBasis, type Estimate, estimate } from "./estimate.ts";
import type { PlanShape, SortCount } from "./shape.ts";

const sort: SortCount = {
  sandboxed: { trace: true, evaluate: true },
  decidedBy: "tests",
  exchanges: true,
  reference: false,
  pace: "model",
  trials: 640,
};

/** 640 trials in ten full shards, 16 waves of four each. */
const shape: PlanShape = {
  tasks: 40,
  trials: 640,
  shards: 10,
  images: 0,
  groups: [
    {
      trace: "host",
      evaluate: "host",
      model: "m",
      shards: 10,
      trials: 640,
      waves: 160,
      archives: 40,
      sorts: [sort],
    },
  ],
};

function specOf(parts: Record<string, unknown> = {}): RunSpec {
  return parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "a", model: "m" }], ...parts }, "spec");
}

/** Nothing is repeated, interrupted or waited for, so that figures can be worked out by hand. */
const plain: CostBasis = parseCostFile(
  {
    assumptions: {
      attemptsPerTrial: 1,
      spotInterruptionsPerHour: 0,
      heartbeatSeconds: 100,
      packing: 1,
      jobs: {
        host: { startSeconds: 0, vcpus: 4, memoryGiB: 8, instance: "m7i.4xlarge" },
        step: { startSeconds: 0 },
      },
    },
  },
  "plain",
);

function line({ lines }: Estimate, service: string, what: string) {
  return lines.find((each) => each.service === service && each.what.startsWith(what));
}

describe("an estimate", () => {
  const result = estimate(shape, specOf({ aws: { jobs: 5, spot: false } }), plain);

  test("counts the control plane by what each trial and shard does", () => {
    expect(line(result, "Step Functions", "state transitions")?.quantity).toBe(10 * 4 + 16);
    // Trajectory, exchanges, workspace and result.
    expect(line(result, "S3", "attempts' objects put")).toMatchObject({ quantity: 640 * 4, usd: 0.0128 });
    // The claim, the traced row, the claim of its verification, the end.
    expect(line(result, "DynamoDB", "trials' rows written")?.quantity).toBe(640 * 4);
    // 300 s of an agent at one renewal in 100 s; 20 s of tests need none.
    expect(line(result, "DynamoDB", "leases renewed")?.quantity).toBe(640 * 3);
  });

  test("works out the hours from trials at once", () => {
    // 160 waves of 320 s over five jobs; half of the longest job more (16 waves of 300 s).
    expect(result.timeline).toMatchObject({
      jobsAtOnce: 5,
      bound: "work",
      shardSeconds: (160 * 320) / 5 + 2_400,
    });
  });

  test("charges a job's share of its instance, and its address", () => {
    // 160 × 300 s of jobs that take a quarter of 16 vCPUs.
    const hours = (160 * 300) / 3_600 / 4;
    expect(line(result, "EC2", "trace in host jobs")?.quantity).toBeCloseTo(hours);
    expect(line(result, "EC2", "trace in host jobs")?.usd).toBeCloseTo(hours * (0.8064 + 0.005));
  });

  test("is cheaper on Spot, by the share that is assumed", () => {
    const spot = estimate(shape, specOf({ aws: { jobs: 5, spot: true } }), plain);
    const what = "trace in host jobs";
    const ratio = (line(spot, "EC2", what)?.usd ?? 0) / (line(result, "EC2", what)?.usd ?? 1);
    expect(ratio).toBeCloseTo((0.8064 * 0.4 + 0.005) / (0.8064 + 0.005));
  });

  test("does not make up a price for a model", () => {
    expect(line(result, "m", "prompt")).toMatchObject({ group: "models", quantity: 640 * 0.12 });
    expect(line(result, "m", "prompt")).not.toHaveProperty("usd");
    expect(result.totals.models).toBe(0);
  });

  test("prices a model that the user gives a price for, up to the cap of an attempt", () => {
    const model = { perMillionPrompt: 1, perMillionCompletion: 10 };
    const basis = { ...plain, prices: { ...plain.prices, models: { m: model } } };
    expect(estimate(shape, specOf(), basis).totals.models).toBeCloseTo(640 * (0.12 + 0.06));
    const capped = estimate(shape, specOf({ limits: { costUsd: 0.05 } }), basis);
    expect(capped.totals.models).toBeCloseTo(640 * 0.05);
  });

  test("serves a model on GPUs at the price of the instance, without tokens", () => {
    const groups = shape.groups.map((group) => ({ ...group, trace: "gpu" as const }));
    const served = estimate({ ...shape, groups }, specOf({ models: { m: {} } }), defaultBasis);
    expect(line(served, "EC2", "trace in gpu jobs, g6.2xlarge")?.usd).toBeGreaterThan(0);
    expect(served.lines.filter(({ group }) => group === "models")).toEqual([]);
    const gpu = served.limits.find(({ what }) => what.startsWith("EC2 G"));
    expect(gpu).toMatchObject({ limit: 0, verdict: "raise" });
  });

  test("holds an agent's time against the spec's own limit", () => {
    const short = estimate(shape, specOf({ limits: { time: "1m" } }), plain);
    expect(short.timeline.shardSeconds).toBeLessThan(result.timeline.shardSeconds);
  });

  test("is bound by the vCPUs that the stage allows", () => {
    const host = { ...plain.assumptions.jobs.host, maxVcpus: 8 };
    const small = { ...plain.assumptions, jobs: { ...plain.assumptions.jobs, host } };
    const basis = { ...plain, assumptions: small };
    const { timeline, limits: checks } = estimate(shape, specOf({ aws: { jobs: 5 } }), basis);
    // Two jobs of 4 vCPUs.
    const shardSeconds = (160 * 320) / 2 + 2_400;
    expect(timeline).toMatchObject({ bound: "capacity", jobsAtOnce: 2, shardSeconds });
    expect(checks.find(({ what }) => what.startsWith("EC2 standard"))?.value).toBe(8);
  });

  test("is bound by what Batch takes a second when shards are many and short", () => {
    const many = {
      ...shape,
      shards: 100_000,
      groups: [{ ...shape.groups[0], shards: 100_000, waves: 100_000 }],
    };
    const host = { ...plain.assumptions.jobs.host, maxVcpus: 1e6 };
    const jobs = { ...plain.assumptions.jobs, host };
    const seconds = { modelAgentSeconds: 1, testsSeconds: 1 };
    const quick = { ...plain, assumptions: { ...plain.assumptions, ...seconds, jobs } };
    const { timeline } = estimate(many as PlanShape, specOf({ aws: { jobs: 10_000 } }), quick);
    expect(timeline).toMatchObject({ bound: "submits", shardSeconds: 200_000 / 50 });
  });
});

describe("a file of prices", () => {
  test("replaces only what it names", () => {
    const basis = parseCostFile({ prices: { asOf: "2027-01", s3: { perThousandPuts: 0.01 } } }, "ours.yaml");
    expect(basis.prices.asOf).toBe("2027-01");
    expect(basis.prices.s3).toEqual({ ...defaultBasis.prices.s3, perThousandPuts: 0.01 });
    expect(basis.assumptions).toEqual(assumptions);
  });

  test("is refused with the field that is wrong", () => {
    expect(() => parseCostFile({ prices: { s3: { perThousandPut: 1 } } }, "ours.yaml")).toThrow(
      "ours.yaml: prices: unknown key `s3.perThousandPut` (did you mean `perThousandPuts`?)",
    );
    expect(() => parseCostFile({ price: {} }, "ours.yaml")).toThrow("did you mean `prices`?");
  });

  test("has to price the instances that it assumes", () => {
    const basis = parseCostFile({ assumptions: { jobs: { host: { instance: "z9.large" } } } }, "ours.yaml");
    expect(() => estimate(shape, specOf(), basis)).toThrow("no price of the instance type z9.large");
  });
});
