import { resolve } from "node:path";
import { recordKeys } from "@tracemill/core/keys.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { expect, test } from "vitest";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { createOutput } from "../output.ts";
import { resumeOnAws, runOnAws } from "./run.ts";

test("Ctrl-C while things are looked at and sent starts nothing", async () => {
  const tasks = [resolve(import.meta.dirname, "../../../../examples/tasks")];
  const spec = parseRunSpec({ name: "n", tasks, agents: [{ name: "oracle" }] }, "spec");
  const records = memoryRecordStore();
  let started = 0;
  const draining = new AbortController();
  const cloud = {
    stack: { stage: "dev", jobs: {}, sizes: {} },
    checks: {
      beforeRun: async () => {
        draining.abort();
        return [];
      },
    },
    executions: { start: async () => (started += 1) },
    objects: memoryObjectStore(),
    records,
    flags: "",
  } as unknown as CloudHome;
  const silent = { write: () => undefined };
  const interruptWords = { first: "" };
  const context = {
    clock: { now: () => 0 },
    config: {},
    out: createOutput({ stdout: silent, stderr: silent }),
    draining: draining.signal,
    interruptWords,
  } as unknown as CliContext;
  await expect(runOnAws(spec, {}, cloud, context)).rejects.toMatchObject({ code: "cancelled" });
  expect(interruptWords.first).toBe("leaving; nothing is started");
  expect(started).toBe(0);
  expect(await Array.fromAsync(records.query("runs"))).toEqual([]);
});

test("a run that was imported is not resumed", async () => {
  const records = memoryRecordStore();
  const runId = "run_1";
  await records.put(recordKeys.imported(runId), {}, "absent");
  const run = { runId } as RunRecord;
  const cloud = { objects: memoryObjectStore(), records } as unknown as CloudHome;
  const context = { clock: { now: () => 0 } } as unknown as CliContext;
  for (const options of [{}, { dryRun: true }]) {
    await expect(resumeOnAws(run, options, cloud, context)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("imported from Harbor"),
    });
  }
});
