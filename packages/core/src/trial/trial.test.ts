import { describe, expect, test } from "vitest";
import { type Behaviour, textOf, trialWorld, writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import type { TrialDeps } from "./deps.ts";
import { evaluateTrial } from "./evaluate.ts";
import { leaseMs } from "./lease.ts";
import { traceTrial } from "./trace.ts";

type World = Awaited<ReturnType<typeof trialWorld>>;

async function runTrial({ deps, trial }: World): Promise<void> {
  await traceTrial(trial, deps);
  await evaluateTrial(trial, deps);
}

async function outcomes(world: World): Promise<string[]> {
  const row = await world.row(world.trial.trialId);
  return (row?.attempts ?? []).map(({ outcome }) => outcome.kind);
}

describe("a trial", () => {
  test("is scored by the tests over what the agent left behind", async () => {
    const world = await trialWorld();
    await runTrial(world);
    expect(await world.row("trl_1")).toMatchObject({
      status: "ended",
      attempts: [{ attempt: 1, outcome: { kind: "scored", rewards: { reward: 1 } }, decidedBy: "tests" }],
    });
    const result = await world.result("trl_1", 1);
    expect(result.verifications).toMatchObject([{ outcome: "scored", stdout: "verifier 1" }]);
    expect(await world.deps.objects.head(result.objects.trajectory ?? "")).toBeDefined();
    expect(await world.deps.objects.head(result.objects.artifacts ?? "")).toBeDefined();
  });

  test("is scored 0 when the work is wrong", async () => {
    const world = await trialWorld({ agent: writesAnswer("41") });
    await runTrial(world);
    expect((await world.result("trl_1", 1)).outcome).toEqual({ kind: "scored", rewards: { reward: 0 } });
  });

  test("does not let the agent write its own reward", async () => {
    const forges: Behaviour = async ({ sandbox }) => {
      await sandbox?.writeFiles([
        { path: "/logs/verifier/reward.txt", content: "1" },
        { path: "/logs/verifier/reward.json", content: '{"reward": 1}' },
        { path: "/tests/test.sh", content: "exit 0" },
      ]);
      return undefined;
    };
    const seen: (string | undefined)[] = [];
    const world = await trialWorld({
      agent: forges,
      verdict: (files) => {
        seen.push(textOf(files, "/logs/verifier/reward.json"), textOf(files, "/tests/test.sh"));
        return undefined;
      },
      spec: { retry: { max: 0 } },
    });
    await runTrial(world);
    expect(seen).toEqual([undefined, "#!/bin/bash\n"]);
    expect((await world.result("trl_1", 1)).outcome.kind).toBe("verifier-failed");
  });

  test("counts the work of an agent that ran out of time", async () => {
    const slow: Behaviour = async (context, call) => {
      await writesAnswer("42")(context, call);
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      return undefined;
    };
    const world = await trialWorld({ agent: slow, spec: { limits: { time: "20ms" } } });
    await runTrial(world);
    expect((await world.result("trl_1", 1)).outcome).toMatchObject({
      kind: "agent-failed",
      failure: "timeout",
      rewards: { reward: 1 },
    });
  });
});

describe("a failure is not a zero", () => {
  const failing = (code: "model-failed" | "sandbox-failed", times: number): Behaviour => {
    return async (context, call) => {
      if (call <= times) throw new TracemillError(code, `down (${call})`, { retryable: true });
      return writesAnswer("42")(context, call);
    };
  };

  test("another attempt follows a failed model, and both are kept", async () => {
    const world = await trialWorld({ agent: failing("model-failed", 1) });
    await runTrial(world);
    expect(await outcomes(world)).toEqual(["model-failed", "scored"]);
    expect((await world.result("trl_1", 1)).outcome).toEqual({ kind: "model-failed", reason: "down (1)" });
  });

  test("no attempt follows a model that only the user can mend: a wrong key, no such model", async () => {
    const agent: Behaviour = async () => {
      throw new TracemillError("model-failed", "HTTP 401", { retryable: false });
    };
    const world = await trialWorld({ agent });
    await runTrial(world);
    expect(await outcomes(world)).toEqual(["model-failed"]);
    expect((await world.row("trl_1"))?.status).toBe("ended");
  });

  test("a trial ends without a reward when retries are used up", async () => {
    const world = await trialWorld({ agent: failing("sandbox-failed", 9), spec: { retry: { max: 2 } } });
    await runTrial(world);
    expect(await outcomes(world)).toEqual(Array(3).fill("environment-failed"));
    expect((await world.row("trl_1"))?.status).toBe("ended");
    expect(world.calls.verifier).toBe(0);
  });

  test("a failing verifier is run again over the same work, not the agent", async () => {
    const world = await trialWorld({ verdict: (_files, round) => (round < 3 ? undefined : "1") });
    await runTrial(world);
    expect(world.calls).toEqual({ agent: 1, verifier: 3 });
    const { verifications } = await world.result("trl_1", 1);
    expect(verifications.map(({ outcome }) => outcome)).toEqual([
      "verifier-failed",
      "verifier-failed",
      "scored",
    ]);
  });

  test.each(["NaN", "", "1e309", "yes"])(
    "a reward file that says %j is the verifier's failure",
    async (text) => {
      const world = await trialWorld({ verdict: () => text, spec: { retry: { max: 0 } } });
      await runTrial(world);
      const { outcome } = await world.result("trl_1", 1);
      expect(outcome).toMatchObject({
        kind: "verifier-failed",
        reason: expect.stringContaining("reward.txt"),
      });
    },
  );

  test("a full disk stops the run and is no attempt's outcome", async () => {
    const world = await trialWorld();
    const full = new TracemillError("storage-full", "no space");
    const objects: TrialDeps["objects"] = { ...world.deps.objects, put: () => Promise.reject(full) };
    await expect(traceTrial(world.trial, { ...world.deps, objects })).rejects.toBe(full);
    expect(await outcomes(world)).toEqual([]);
  });
});

describe("two processes on one run", () => {
  test("never do the same attempt", async () => {
    const world = await trialWorld();
    const other = { ...world.deps, owner: { id: "other", isGone: () => false } };
    const progress = await Promise.all([traceTrial(world.trial, world.deps), traceTrial(world.trial, other)]);
    expect(progress.toSorted()).toEqual(["busy", "traced"]);
    expect(world.calls.agent).toBe(1);
  });

  test("the second one goes on when the first one is gone, and says so", async () => {
    const world = await trialWorld();
    await leaveBehind(world);
    const busy = await traceTrial(world.trial, world.deps);
    expect(busy).toBe("busy");
    const knowing = { ...world.deps, owner: { id: "me", isGone: (id: string) => id === "dead" } };
    await runTrial({ ...world, deps: knowing });
    expect(await outcomes(world)).toEqual(["environment-failed", "scored"]);
    expect((await world.result("trl_1", 1)).outcome).toMatchObject({
      reason: expect.stringContaining("interrupted"),
    });
  });

  test("a lease that nobody renews is free after its time", async () => {
    const world = await trialWorld({ now: () => 1_000_000 + 2 * leaseMs });
    await leaveBehind(world, 1_000_000 + leaseMs);
    await runTrial(world);
    expect(await outcomes(world)).toEqual(["environment-failed", "scored"]);
  });

  test("a trial that brings its process down again and again is given up, without a reward", async () => {
    const dies: Behaviour = () => Promise.reject(new TracemillError("lease-lost", "the process is gone"));
    const world = await trialWorld({ agent: dies });
    for (let process = 0; process < 10; process += 1) {
      await traceTrial(world.trial, world.deps).catch(() => undefined);
    }
    expect((await world.row("trl_1"))?.status).toBe("ended");
    expect(await outcomes(world)).toEqual(Array(6).fill("environment-failed"));
    expect(world.calls.agent).toBe(6);
  });

  test("a record that was stored just before its process died stands", async () => {
    const world = await trialWorld();
    await traceTrial(world.trial, world.deps);
    const { records } = world.deps;
    const dying: TrialDeps = {
      ...world.deps,
      records: { ...records, put: () => Promise.reject(new TracemillError("storage-failed", "killed")) },
    };
    await expect(evaluateTrial(world.trial, dying)).rejects.toThrow("killed");
    const before = await world.result("trl_1", 1);
    await evaluateTrial(world.trial, world.deps);
    expect(await world.result("trl_1", 1)).toEqual(before);
    expect(await world.row("trl_1")).toMatchObject({ status: "ended", endedAt: before.endedAt });
  });
});

/** What a process leaves in the store when it is killed while it works on the trial. */
async function leaveBehind(world: World, until = Date.now() + leaseMs): Promise<void> {
  const { records, runId } = world.deps;
  const attempts = (await world.row("trl_1"))?.attempts ?? [];
  const row = {
    schemaVersion: 1,
    trialId: "trl_1",
    status: "tracing",
    attempts,
    attempt: attempts.length + 1,
    startedAt: "2026-01-01T00:00:00.000Z",
    lease: { owner: "dead", until },
  };
  await records.put(recordKeys.trial(runId, "trl_1"), row, "any");
}

describe("stopping and going on", () => {
  test("a draining run begins nothing new", async () => {
    const world = await trialWorld();
    world.draining.abort();
    expect(await traceTrial(world.trial, world.deps)).toBe("skipped");
    expect(await world.row("trl_1")).toBeUndefined();
  });

  test("an attempt that is stopped is kept as cancelled, and a resumed run makes another", async () => {
    let world: World | undefined;
    world = await trialWorld({
      agent: async (context, call) => {
        if (call === 1) world?.stopping.abort();
        return writesAnswer("42")(context, call);
      },
    });
    expect(await traceTrial(world.trial, world.deps)).toBe("skipped");
    expect(await world.row("trl_1")).toMatchObject({ status: "waiting" });
    await runTrial({ ...world, deps: { ...world.deps, signal: new AbortController().signal } });
    expect(await outcomes(world)).toEqual(["cancelled", "scored"]);
  });

  test("a resumed run begins again what ended without a valid outcome, and nothing else", async () => {
    const world = await trialWorld({
      agent: async (context, call) => {
        if (call === 1) throw new TracemillError("model-failed", "no quota", { retryable: true });
        return writesAnswer("42")(context, call);
      },
      spec: { retry: { max: 0 } },
    });
    await runTrial(world);
    expect(await outcomes(world)).toEqual(["model-failed"]);
    await runTrial(world);
    expect(world.calls.agent).toBe(1);
    const resumed = { ...world.deps, reopenBefore: Date.now() + 1 };
    await runTrial({ ...world, deps: resumed });
    await runTrial({ ...world, deps: { ...resumed, reopenBefore: Date.now() + 2 } });
    expect(await outcomes(world)).toEqual(["model-failed", "scored"]);
  });

  test("a missing archive is the environment's failure and names the object", async () => {
    const world = await trialWorld({ spec: { retry: { max: 0 } } });
    await world.deps.objects.delete(objectKeys.task(world.trial.task.hash));
    await runTrial(world);
    expect((await world.result("trl_1", 1)).outcome).toMatchObject({
      kind: "environment-failed",
      reason: expect.stringContaining(`tasks/${world.trial.task.hash}.tar.zst`),
    });
  });
});

describe("budgets", () => {
  const spends =
    (tokens: number): Behaviour =>
    async ({ budget }) => {
      budget.spend({ promptTokens: tokens, completionTokens: 0, cachedTokens: 0, costUsd: 0.5 });
      return undefined;
    };

  test("an attempt over its tokens ends without a reward, and what it used is kept", async () => {
    const world = await trialWorld({ agent: spends(11), spec: { limits: { tokens: 10 } } });
    await runTrial(world);
    const row = await world.row("trl_1");
    expect(row).toMatchObject({
      status: "ended",
      attempts: [{ outcome: { kind: "budget-exceeded" }, usage: { promptTokens: 11, costUsd: 0.5 } }],
    });
  });

  test("a run over its cost begins nothing new", async () => {
    const world = await trialWorld({ agent: spends(1), spec: { limits: { run: { costUsd: 0.4 } } } });
    await runTrial(world);
    expect(await outcomes(world)).toEqual(["budget-exceeded"]);
    const second = { ...world.trial, trialId: "trl_2" };
    expect(await traceTrial(second, world.deps)).toBe("skipped");
  });
});

test("a failure that lies in the task is not repeated", async () => {
  const unsupported = new TracemillError("unsupported", "Dockerfile, line 2: ONBUILD");
  const world = await trialWorld({
    sandboxes: (plain) => ({ ...plain, create: () => Promise.reject(unsupported) }),
  });
  await runTrial(world);
  expect(await outcomes(world)).toEqual(["environment-failed"]);
  expect((await world.row("trl_1"))?.status).toBe("ended");
});
