import { TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { StageRecord } from "@tracemill/core/pipeline/stage-record.ts";
import { readRun } from "@tracemill/core/run/runs.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import { describe, expect, test } from "vitest";
import { pipelineWorld } from "../../../test/fakes/pipeline-world.ts";
import { type Behaviour, writesAnswer } from "../../../test/fakes/trial-world.ts";
import { driveRun } from "./driver.ts";

type World = Awaited<ReturnType<typeof pipelineWorld>>;

const summaryOf = async ({ objects, runId }: World) =>
  (await readJson(objects, objectKeys.runSummary(runId))) as Record<string, unknown>;

function countOf(events: readonly { type: string }[], type: string): number {
  return events.filter((event) => event.type === type).length;
}

/** Fails in its first calls with what brings a run to a stop. */
function failsAt(calls: readonly number[], error: unknown): Behaviour {
  return (context, call) => {
    if (calls.includes(call)) throw error;
    return writesAnswer("42")(context, call);
  };
}

const full = new TracemillError("storage-full", "no space left");

describe("a run", () => {
  test("goes through all stages and is finished", async () => {
    const world = await pipelineWorld({ spec: { attempts: 3 } });
    const { deps, events } = world.process("a");
    const { run, outputs } = await driveRun(world.runId, deps);
    expect(run.status).toBe("finished");
    expect(outputs).toMatchObject({ prepare: { tasks: 1 }, plan: { trials: 3 }, export: { trials: 3 } });
    expect(await summaryOf(world)).toMatchObject({ ended: 3, outcomes: { scored: 3 } });
    const stages = events.filter((event) => event.type === "stage-ended").map(({ stage }) => stage);
    expect(stages).toEqual(["ingest", "prepare", "plan", "trace", "evaluate", "export"]);
  });

  test("that is finished does nothing when it is resumed", async () => {
    const world = await pipelineWorld({ spec: { attempts: 3 } });
    await driveRun(world.runId, world.process("a").deps);
    const { deps, events } = world.process("b");
    expect((await driveRun(world.runId, deps)).run.status).toBe("finished");
    expect(world.calls).toEqual({ agent: 3, verifier: 3 });
    expect(events.filter((event) => event.type === "stage-ended").every(({ again }) => again)).toBe(true);
  });

  test("ends although tests never give a reward", async () => {
    const world = await pipelineWorld({ verdict: () => undefined, spec: { attempts: 2, retry: { max: 1 } } });
    const { run } = await driveRun(world.runId, world.process("a").deps);
    expect(run.status).toBe("finished");
    expect(await summaryOf(world)).toMatchObject({ outcomes: { "verifier-failed": 2 } });
  });

  test("is shared by two processes: each attempt is made once, each trial counted once", async () => {
    const agent: Behaviour = async (context, call) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (call % 5 === 0) throw new TracemillError("model-failed", "busy", { retryable: true });
      return writesAnswer("42")(context, call);
    };
    const world = await pipelineWorld({ agent, spec: { attempts: 20, concurrency: 2, retry: { max: 9 } } });
    const processes = [world.process("a"), world.process("b")];
    const drives = await Promise.all(processes.map(({ deps }) => driveRun(world.runId, deps)));
    expect(drives.map(({ run }) => run.status)).toEqual(["finished", "finished"]);
    expect(world.calls.verifier).toBe(20);
    expect(await summaryOf(world)).toMatchObject({ ended: 20, outcomes: { scored: 20 } });
    for (const { events } of processes) {
      const final = events.filter((event) => event.type === "attempt-ended" && event.final);
      expect(final.length + countOf(events, "trial-found-ended")).toBe(20);
    }
  });
});

describe("a failure that is no attempt's outcome", () => {
  test("stops the run once what was in flight has ended; resumed, it is finished", async () => {
    let inFlight = 0;
    const agent: Behaviour = async (context, call) => {
      inFlight += 1;
      await new Promise((resolve) => setTimeout(resolve, call <= 3 ? 5 * call : 0));
      inFlight -= 1;
      return failsAt([1], full)(context, call);
    };
    const world = await pipelineWorld({ agent, spec: { attempts: 100, concurrency: 3 } });
    const { deps, events } = world.process("a");
    await expect(driveRun(world.runId, deps)).rejects.toBe(full);
    expect(inFlight).toBe(0);
    expect(world.calls.agent).toBe(3);
    expect(countOf(events, "stopping")).toBe(1);
    expect(await readRun(world.runId, world.records)).toMatchObject({
      status: "stopped",
      reason: "no space left",
    });
    const again = world.process("b", { owner: { id: "b", isGone: (id) => id === "a" } });
    expect((await driveRun(world.runId, again.deps)).run.status).toBe("finished");
    expect(await summaryOf(world)).toMatchObject({ outcomes: { scored: 100 } });
  });

  test("in a stage leaves the stage free for the next process", async () => {
    const world = await pipelineWorld();
    const broken = world.process("a", {
      // biome-ignore lint/correctness/useYield: it fails before it has anything to give.
      taskFolders: async function* () {
        throw new TracemillError("not-found", "tasks: no such folder");
      },
    });
    await expect(driveRun(world.runId, broken.deps)).rejects.toThrow("no such folder");
    expect(await world.records.get(recordKeys.stage(world.runId, "prepare"))).toBeUndefined();
    const { deps } = world.process("b");
    expect((await driveRun(world.runId, deps)).run.status).toBe("finished");
  });
});

describe("stopping", () => {
  test("a drained run leaves the rest of a large plan alone and says that it was interrupted", async () => {
    const world = await pipelineWorld({
      agent: async (context, call) => {
        if (call === 2) process.draining.abort();
        return writesAnswer("42")(context, call);
      },
      spec: { attempts: 200, concurrency: 1 },
    });
    const process = world.process("a");
    let reads = 0;
    const records = {
      ...world.records,
      get: (key: Parameters<typeof world.records.get>[0]) => {
        if (key.sk.startsWith("trial#")) reads += 1;
        return world.records.get(key);
      },
    };
    const { run } = await driveRun(world.runId, { ...process.deps, records });
    expect(run).toMatchObject({ status: "stopped", reason: "interrupted" });
    expect(world.calls.agent).toBe(2);
    // Those of the shard that it was at, and once more to count it.
    expect(reads).toBeLessThan(64 + 80);
  });

  test.each(["prepare", "plan", "export"] as const)(
    "during %s, it stops there and goes on there",
    async (at) => {
      const world = await pipelineWorld({ spec: { attempts: 2 } });
      const first = world.process("a");
      const onEvent: typeof first.deps.onEvent = (event) => {
        if (event.type === "stage-started" && event.stage === at) first.draining.abort();
      };
      const { run } = await driveRun(world.runId, { ...first.deps, onEvent });
      expect(run).toMatchObject({ status: "stopped", reason: "interrupted" });
      expect(await world.records.get(recordKeys.stage(world.runId, at))).toBeUndefined();
      expect((await driveRun(world.runId, world.process("b").deps)).run.status).toBe("finished");
      expect(world.calls.agent).toBe(2);
    },
  );

  test("by the run's budget names the cap, also for a process that comes later", async () => {
    const agent: Behaviour = async (context, call) => {
      context.budget.spend({ promptTokens: 1, completionTokens: 0, cachedTokens: 0, costUsd: 0.3 });
      return writesAnswer("42")(context, call);
    };
    const spec = { attempts: 9, concurrency: 1, limits: { run: { costUsd: 0.5 } } };
    const world = await pipelineWorld({ agent, spec });
    for (const id of ["a", "b"]) {
      const { run } = await driveRun(world.runId, world.process(id).deps);
      expect(run).toMatchObject({ status: "stopped", reason: expect.stringContaining("limits.run.costUsd") });
      expect(world.calls.agent).toBe(2);
    }
  });
});

describe("a process that was killed", () => {
  test("after trials were made again, but before they were exported, is made good for", async () => {
    const world = await pipelineWorld({
      agent: failsAt([1], new TracemillError("model-failed", "no quota")),
      spec: { retry: { max: 0 } },
    });
    const { runId } = world;
    await driveRun(runId, world.process("a").deps);
    expect(await summaryOf(world)).toMatchObject({ outcomes: { "model-failed": 1 } });
    const killed = world.process("b", { reopenBefore: Date.now() + 1 });
    const onEvent: typeof killed.deps.onEvent = (event) => {
      if (event.type === "stage-started" && event.stage === "export") throw new Error("killed");
    };
    await expect(driveRun(runId, { ...killed.deps, onEvent })).rejects.toThrow("killed");
    await driveRun(runId, world.process("c").deps);
    expect(await summaryOf(world)).toMatchObject({ outcomes: { scored: 1 } });
  });

  test("in the middle of a stage is followed at once where it is known to be gone", async () => {
    const world = await pipelineWorld();
    const startedAt = "2026-01-01T00:00:00.000Z";
    const lease = { owner: "dead", until: Date.now() + 60_000 };
    const row: StageRecord = { schemaVersion: 1, status: "running", startedAt, lease };
    const key = recordKeys.stage(world.runId, "prepare");
    await world.records.put(key, row, "any");
    const { deps } = world.process("b", { owner: { id: "b", isGone: (id) => id === "dead" } });
    expect((await driveRun(world.runId, deps)).run.status).toBe("finished");
    expect(StageRecord.parse((await world.records.get(key))?.data).status).toBe("done");
  });
});
