import { describe, expect, test } from "vitest";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { type Behaviour, trialWorld, writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import { RunBudget } from "./budget.ts";
import type { TrialDeps } from "./deps.ts";
import { evaluateTrial } from "./evaluate.ts";
import { leaseMs } from "./lease.ts";
import { traceTrial } from "./trace.ts";

/** Two processes over the same stores, and an agent that works until it is let go. */
async function twoProcesses(options: Parameters<typeof trialWorld>[0] = {}) {
  const clock = manualClock();
  const calls = [1, 2].map(() => ({
    begun: Promise.withResolvers<void>(),
    letGo: Promise.withResolvers<void>(),
  }));
  const agent: Behaviour = async (context, call) => {
    calls[call - 1]?.begun.resolve();
    await calls[call - 1]?.letGo.promise;
    return writesAnswer("42")(context, call);
  };
  const world = await trialWorld({ agent, ...options });
  const deps = (id: string): TrialDeps => ({ ...world.deps, clock, owner: { id, isGone: () => false } });
  return {
    world,
    clock,
    begun: (call: number) => calls[call - 1]?.begun.promise,
    letGo: (call: number) => calls[call - 1]?.letGo.resolve(),
    first: deps("first"),
    second: deps("second"),
  };
}

describe("a lease", () => {
  test("is kept for as long as a slow agent works", async () => {
    const { world, clock, begun, letGo, first, second } = await twoProcesses();
    const tracing = traceTrial(world.trial, first);
    await begun(1);
    await clock.advance(10 * leaseMs);
    expect(await traceTrial(world.trial, second)).toBe("busy");
    letGo(1);
    expect(await tracing).toBe("traced");
    expect(world.calls.agent).toBe(1);
    expect(clock.sleepers).toBe(0);
  });

  test("outlives a store that is busy for a moment", async () => {
    const { world, clock, begun, letGo, first } = await twoProcesses();
    let broken = false;
    const records = {
      ...first.records,
      put: (...args: Parameters<typeof first.records.put>) => {
        if (broken) return Promise.reject(new TracemillError("storage-failed", "busy"));
        return first.records.put(...args);
      },
    };
    const tracing = traceTrial(world.trial, { ...first, records });
    await begun(1);
    broken = true;
    await clock.advance(leaseMs / 2);
    broken = false;
    await clock.advance(leaseMs);
    letGo(1);
    expect(await tracing).toBe("traced");
  });

  test("that was lost leaves the trial to the process that took it", async () => {
    const { world, clock, begun, letGo, first, second } = await twoProcesses();
    const losing = traceTrial(world.trial, { ...first, clock: sleepless(clock) });
    await begun(1);
    await clock.advance(leaseMs + 1);
    const taking = traceTrial(world.trial, second);
    await begun(2);
    letGo(1);
    expect(await losing).toBe("busy");
    letGo(2);
    expect(await taking).toBe("traced");
    expect(await evaluateTrial(world.trial, second)).toBe("ended");
    const row = await world.row("trl_1");
    expect(row?.attempts.map(({ outcome }) => outcome.kind)).toEqual(["environment-failed", "scored"]);
    const { objects, runId } = world.deps;
    const own = objectKeys.attempt(runId, "trl_1", 2, "trajectory.json");
    expect((await world.result("trl_1", 2)).objects.trajectory).toBe(own);
    expect(await objects.head(own)).toBeDefined();
    expect((await world.result("trl_1", 1)).objects).toEqual({});
  });

  test("tells what an attempt had used, should its process die", async () => {
    const spent = { promptTokens: 7, completionTokens: 1, cachedTokens: 0, costUsd: 0.5 };
    const begun = Promise.withResolvers<void>();
    const { world, clock, first, second } = await twoProcesses({
      agent: async ({ budget, signal }, call) => {
        if (call === 2) return undefined;
        budget.spend(spent);
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return undefined;
      },
    });
    const losing = traceTrial(world.trial, first);
    await begun.promise;
    await clock.advance(leaseMs);
    const earlier = new RunBudget({ tokens: 100 }, 0);
    await earlier.addEarlier(world.deps.runId, world.deps.records);
    expect(earlier.used).toMatchObject(spent);
    const gone = { id: "second", isGone: () => true };
    expect(await traceTrial(world.trial, { ...second, owner: gone })).toBe("traced");
    expect((await world.row("trl_1"))?.attempts).toMatchObject([
      { outcome: { kind: "environment-failed" }, usage: spent },
    ]);
    await clock.advance(leaseMs);
    expect(await losing).toBe("busy");
  });

  test("stops an agent whose trial was taken over", async () => {
    const begun = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const { world, clock, first, second } = await twoProcesses({
      agent: async ({ signal }, call) => {
        if (call === 2) return undefined;
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push(signal.reason);
        return undefined;
      },
    });
    const losing = traceTrial(world.trial, { ...first, clock: lateOnce(clock) });
    await begun.promise;
    await clock.advance(leaseMs + 1);
    expect(await traceTrial(world.trial, second)).toBe("traced");
    await clock.advance(leaseMs);
    expect(await losing).toBe("busy");
    expect(reasons).toMatchObject([{ code: "lease-lost" }]);
  });

  test("is not taken from a process that renews it in the same moment", async () => {
    const { world, clock, begun, letGo, first, second } = await twoProcesses();
    const tracing = traceTrial(world.trial, { ...first, clock: sleepless(clock) });
    await begun(1);
    await clock.advance(leaseMs + 1);
    const { records } = second;
    const renewedMeanwhile: TrialDeps["records"] = {
      ...records,
      get: async (key) => {
        const stored = await records.get(key);
        // Between the other's look and its write the owner shows that it is alive.
        if (stored !== undefined) await records.put(key, stored.data, { version: stored.version });
        return stored;
      },
    };
    expect(await traceTrial(world.trial, { ...second, records: renewedMeanwhile })).toBe("busy");
    const resultKey = objectKeys.attempt(world.deps.runId, "trl_1", 1, "result.json");
    expect(await world.deps.objects.head(resultKey)).toBeUndefined();
    letGo(1);
    await tracing;
  });
});

/** The same clock for a process whose first heartbeat comes too late, as after a laptop was shut. */
function lateOnce(clock: TrialDeps["clock"]): TrialDeps["clock"] {
  let naps = 0;
  return {
    now: clock.now,
    sleep: (ms, signal) => {
      naps += 1;
      return clock.sleep(naps === 1 ? 2 * leaseMs : ms, signal);
    },
  };
}

/** The same clock for a process whose heartbeats never come: stopped, or busy without end. */
function sleepless(clock: TrialDeps["clock"]): TrialDeps["clock"] {
  return {
    now: clock.now,
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
}

describe("a process that died between an attempt's record and its row", () => {
  test.each([
    ["model-failed", ["model-failed", "scored"]],
    ["budget-exceeded", ["budget-exceeded"]],
  ] as const)("leaves its own %s standing, not an interruption", async (code, expected) => {
    const world = await trialWorld({
      agent: (context, call) => {
        if (call === 1) throw new TracemillError(code, "as recorded", { retryable: true });
        return writesAnswer("42")(context, call);
      },
    });
    let writes = 0;
    const { records } = world.deps;
    const dying: TrialDeps["records"] = {
      ...records,
      put: (...args) => {
        writes += 1;
        return writes === 1
          ? records.put(...args)
          : Promise.reject(new TracemillError("storage-failed", "killed"));
      },
    };
    await expect(traceTrial(world.trial, { ...world.deps, records: dying })).rejects.toThrow("killed");
    await traceTrial(world.trial, world.deps);
    await evaluateTrial(world.trial, world.deps);
    const row = await world.row("trl_1");
    expect(row?.attempts.map(({ outcome }) => outcome.kind)).toEqual(expected);
    expect(row?.status).toBe("ended");
  });
});
