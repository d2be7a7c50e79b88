import { describe, expect, test } from "vitest";
import { type Behaviour, trialWorld, writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import { RunBudget } from "./budget.ts";
import { evaluateTrial } from "./evaluate.ts";
import { traceTrial } from "./trace.ts";

describe("a verification that fails", () => {
  test("ends its trial once it was repeated as often as allowed, and the agent is not run again", async () => {
    const world = await trialWorld({ verdict: () => undefined, spec: { retry: { max: 1 } } });
    await traceTrial(world.trial, world.deps);
    expect(await evaluateTrial(world.trial, world.deps)).toBe("ended");
    expect(world.calls).toEqual({ agent: 1, verifier: 2 });
    expect(await world.row("trl_1")).toMatchObject({ status: "ended" });
  });

  test("for want of a sandbox is the environment's failure, not a zero", async () => {
    let opened = 0;
    const world = await trialWorld({
      sandboxes: (plain) => ({
        ...plain,
        create: (spec) => {
          opened += 1;
          if (opened === 1) return plain.create(spec);
          return Promise.reject(new TracemillError("sandbox-unavailable", "no namespaces here"));
        },
      }),
    });
    await traceTrial(world.trial, world.deps);
    await evaluateTrial(world.trial, world.deps);
    const result = await world.result("trl_1", 1);
    expect(result.outcome).toEqual({ kind: "environment-failed", reason: "no namespaces here" });
    expect(result.verifications).toHaveLength(3);
    expect(result.objects.trajectory).toBeDefined();
  });

  test("for a damaged workspace says so", async () => {
    const world = await trialWorld({ spec: { retry: { max: 0 } } });
    await traceTrial(world.trial, world.deps);
    const { objects, runId } = world.deps;
    await objects.put(objectKeys.attempt(runId, "trl_1", 1, "artifacts.tar.zst"), Buffer.from("damaged"));
    await evaluateTrial(world.trial, world.deps);
    const { outcome } = await world.result("trl_1", 1);
    expect(outcome).toMatchObject({
      kind: "environment-failed",
      reason: expect.stringContaining("workspace"),
    });
  });

  test("for a damaged trajectory is the trial's failure, not the run's", async () => {
    const world = await trialWorld();
    const reference = { solutionId: "s", trajectoryKey: "references/s.json" };
    const trial = { ...world.trial, reference };
    const { objects, runId } = world.deps;
    const recorded = { schema_version: "ATIF-v1.8", agent: { name: "a", version: "1" } };
    const steps = [{ step_id: 1, source: "user", message: "hi" }];
    await objects.put(reference.trajectoryKey, Buffer.from(JSON.stringify({ ...recorded, steps })));
    await traceTrial(trial, world.deps);
    await objects.put(objectKeys.attempt(runId, "trl_1", 1, "trajectory.json"), Buffer.from("{"));
    expect(await evaluateTrial(trial, world.deps)).toBe("ended");
    expect((await world.result("trl_1", 1)).outcome.kind).toBe("environment-failed");
  });
});

describe("a trial that is not traced when its verification is asked for", () => {
  test.each(["waiting", "tracing"] as const)("is looked at again later (%s)", async (status) => {
    const world = await trialWorld();
    const common = { schemaVersion: 1, trialId: "trl_1", attempts: [], status };
    const lease = { owner: "dead", until: 0 };
    const tracing = { attempt: 1, startedAt: "2026-01-01T00:00:00.000Z", lease };
    const row = status === "waiting" ? common : { ...common, ...tracing };
    await world.deps.records.put(recordKeys.trial(world.deps.runId, "trl_1"), row, "any");
    expect(await evaluateTrial(world.trial, world.deps)).toBe("busy");
    world.draining.abort();
    expect(await evaluateTrial(world.trial, world.deps)).toBe("skipped");
  });
});

describe("what an attempt used", () => {
  const exchange = (text: string) => ({
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: "2026-01-01T00:00:00.000Z",
    model: "m",
    replayed: false,
    request: { messages: [], tools: [] },
    answer: { text, toolCalls: [], finish: "stop" as const },
  });
  const spent = { promptTokens: 7, completionTokens: 1, cachedTokens: 0, costUsd: 0.5 };
  const spends: Behaviour = async (context, call) => {
    context.record(exchange("hello"));
    context.budget.spend(spent);
    return writesAnswer("42")(context, call);
  };

  test("is kept for an agent that does not count by itself", async () => {
    const world = await trialWorld({ agent: spends });
    await traceTrial(world.trial, world.deps);
    expect(await world.row("trl_1")).toMatchObject({ trace: { usage: spent } });
  });

  test("is kept with its exchanges when the attempt fails", async () => {
    const world = await trialWorld({
      agent: async (context, call) => {
        await spends(context, call);
        throw new TracemillError("model-failed", "gone");
      },
      spec: { retry: { max: 0 } },
    });
    await traceTrial(world.trial, world.deps);
    const { usage, objects } = await world.result("trl_1", 1);
    expect(usage).toEqual(spent);
    expect(await world.deps.objects.head(objects.exchanges ?? "")).toBeDefined();
  });

  test("counts against the run's cap in every later process", async () => {
    const world = await trialWorld({ agent: spends, spec: { limits: { run: { costUsd: 0.8 } } } });
    await traceTrial(world.trial, world.deps);
    for (const [trialId, expected] of [
      ["trl_2", undefined],
      ["trl_3", "1.0000 USD used, 0.8 allowed (`limits.run.costUsd`)"],
    ] as const) {
      const budget = new RunBudget(world.deps.spec.limits.run, 0);
      await budget.addEarlier(world.deps.runId, world.deps.records);
      expect(budget.exceeded(0)).toBe(expected);
      await traceTrial({ ...world.trial, trialId }, { ...world.deps, budget });
    }
    expect(world.calls.agent).toBe(2);
  });
});
