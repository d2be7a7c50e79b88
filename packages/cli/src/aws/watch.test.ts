import type { Execution } from "@tracemill/aws/control/executions.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { recordKeys } from "@tracemill/core/keys.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";
import { beforeEach, expect, test } from "vitest";
import { type FakeClock, fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { createOutput } from "../output.ts";
import { watchRun } from "./watch.ts";

const runId = "run_A";
const at = "2026-01-01T00:00:00.000Z";
const row = { schemaVersion: 1, runId, name: "n", specHash: "x", createdAt: at };

let said: string[];
let clock: FakeClock;
let records: ReturnType<typeof memoryRecordStore>;
beforeEach(async () => {
  said = [];
  clock = fakeClock(at);
  records = memoryRecordStore();
  await records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
});

type Step = () => Promise<Execution["status"]>;

/** Watches while `script` moves the run on, one entry before each look; the last one goes on. */
async function watch(script: Step[], draining = new AbortController().signal) {
  let steps = 0;
  let status: Execution["status"] = "RUNNING";
  let fault: unknown;
  const goOn = async (): Promise<void> => {
    const step = script[Math.min(steps, script.length - 1)];
    steps += 1;
    fault = undefined;
    try {
      status = (await step?.()) ?? status;
    } catch (error) {
      fault = error;
    }
  };
  const describe = async (): Promise<Execution> => {
    if (fault !== undefined) throw fault;
    return { arn: "arn", name: `${runId}-1`, status, startedAt: 0 };
  };
  const moving = {
    now: clock.now,
    sleep: async (ms: number, signal?: AbortSignal) => {
      await clock.sleep(ms, signal);
      await goOn();
    },
  };
  const stderr = { write: (line: string) => void said.push(line.trimEnd()) };
  const out = createOutput({ stdout: stderr, stderr });
  const executions = { describe } as unknown as Parameters<typeof watchRun>[2]["executions"];
  await goOn();
  return watchRun(runId, "arn", { executions, records }, { clock: moving, out, draining, signal: draining });
}

const stageDone = (name: "plan" | "prepare", output: object) =>
  records.put(
    recordKeys.stage(runId, name),
    { schemaVersion: 1, status: "done", startedAt: at, endedAt: at, output },
    "any",
  );

const progress = (ended: number) =>
  records.put(
    recordKeys.progress(runId),
    {
      schemaVersion: 1,
      runId,
      updatedAt: at,
      tally: { ...emptyTally(), ended, outcomes: { scored: ended } },
      failedShards: 0,
    },
    "any",
  );

const end = (status: object) => records.put(recordKeys.run(runId), { ...row, ...status }, "any");

test("each step is said once, counts with rate and time left, and it ends with the run", async () => {
  const { run } = await watch([
    async () => {
      await stageDone("prepare", { tasks: 10, repeated: 0 });
      await stageDone("plan", { trials: 100, shards: 2 });
      await progress(0);
      return "RUNNING";
    },
    async () => {
      clock.advance(60_000);
      await progress(20);
      return "RUNNING";
    },
    async () => {
      clock.advance(60_000);
      await progress(60);
      return "RUNNING";
    },
    async () => {
      await end({ status: "finished", finishedAt: at });
      return "SUCCEEDED";
    },
  ]);
  expect(run.status).toBe("finished");
  expect(said).toEqual([
    "prepare   10 tasks",
    "plan      100 trials in 2 shards",
    "0/100 trials",
    "20/100 trials · 4 m 12 s left · 0.3/s · 20 scored",
    "60/100 trials · 1 m 24 s left · 0.5/s · 60 scored",
  ]);
});

test("a run whose execution was aborted is waited for until its row says so", async () => {
  const { run, ended } = await watch([
    async () => "ABORTED",
    async () => "ABORTED",
    async () => {
      await end({ status: "stopped", stoppedAt: at, reason: "the cap" });
      return "ABORTED";
    },
  ]);
  expect(run).toMatchObject({ status: "stopped", reason: "the cap" });
  expect(ended?.status).toBe("ABORTED");
});

test("a row that never says so does not keep anybody", async () => {
  const { run, ended } = await watch([async () => "TIMED_OUT"]);
  expect(run.status).toBe("running");
  expect(ended?.status).toBe("TIMED_OUT");
});

test("a look that fails for now is taken again; one that fails for good ends it", async () => {
  const fault = (retryable: boolean) => async (): Promise<never> => {
    throw new TracemillError("storage-failed", "throttled", { retryable });
  };
  const done = async () => {
    await end({ status: "finished", finishedAt: at });
    return "SUCCEEDED" as const;
  };
  expect((await watch([fault(true), fault(true), done])).run.status).toBe("finished");
  await expect(watch([fault(false)])).rejects.toThrow("throttled");
});

test("leaving ends the watching, and nothing else", async () => {
  const leave = new AbortController();
  const watching = watch(
    [
      async () => {
        leave.abort();
        return "RUNNING";
      },
    ],
    leave.signal,
  );
  expect(await watching).toMatchObject({ run: { status: "running" }, ended: undefined });
});
