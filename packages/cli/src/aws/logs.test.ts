import { recordKeys } from "@tracemill/core/keys.ts";
import { beforeEach, expect, test } from "vitest";
import { memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { createOutput } from "../output.ts";
import { type LogOptions, sayLogs } from "./logs.ts";

const runId = "run_01A";
const trialId = "trl_0a";
const at = "2026-01-01T00:00:00.000Z";
const row = { schemaVersion: 1, runId, name: "n", specHash: "x", createdAt: at };

let records: ReturnType<typeof memoryRecordStore>;
let said: string[];
beforeEach(async () => {
  records = memoryRecordStore();
  said = [];
  await records.put(recordKeys.trial(runId, trialId), {}, "any");
});

/** Asks for a trial's lines in a cloud that has logged none. */
async function ask(options: LogOptions, draining = new AbortController().signal): Promise<CliContext> {
  const stream = { write: (line: string) => void said.push(line.trimEnd()) };
  const sleep = (_: number, signal?: AbortSignal) =>
    new Promise<void>((_settle, fail) => {
      if (signal?.aborted === true) fail(signal.reason);
      signal?.addEventListener("abort", () => fail(signal.reason));
    });
  const context = {
    clock: { now: () => Date.parse(at), sleep },
    out: createOutput({ stdout: stream, stderr: stream }),
    draining,
    exitCode: 0,
  } as unknown as CliContext;
  const logs = {
    async *read() {},
    async *follow(_: unknown, { signal }: { signal: AbortSignal }) {
      await sleep(0, signal).catch(() => undefined);
    },
  };
  const cloud = { records, logs, stack: { logGroups: { jobs: "jobs" } }, flags: "" } as unknown as CloudHome;
  await sayLogs(trialId, options, cloud, context);
  return context;
}

test("a run at work that has said nothing yet will; one that has ended will not", async () => {
  await records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
  await ask({});
  await records.put(recordKeys.run(runId), { ...row, status: "finished", finishedAt: at }, "any");
  await ask({});
  expect(said).toEqual([
    expect.stringContaining("no lines yet"),
    expect.stringContaining("no lines: nothing"),
  ]);
});

test("leaving the lines of a run ends with 130, as leaving its counts does", async () => {
  await records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
  const draining = new AbortController();
  const asked = ask({ follow: true }, draining.signal);
  setImmediate(() => draining.abort());
  expect((await asked).exitCode).toBe(130);
});
