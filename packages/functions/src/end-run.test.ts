import { recordKeys } from "@tracemill/core/keys.ts";
import { createRun, readRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../test/fakes/memory-stores.ts";
import { endRun } from "./end-run.ts";

async function world() {
  const records = memoryRecordStore();
  const clock = fakeClock();
  const spec = parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "oracle" }] }, "spec");
  const { runId } = await createRun(spec, { objects: memoryObjectStore(), records, clock });
  const exported = (output: Record<string, unknown>) =>
    records.put(
      recordKeys.stage(runId, "export"),
      {
        schemaVersion: 1,
        status: "done",
        startedAt: "2026-01-01T00:00:00.000Z",
        endedAt: "2026-01-01T00:01:00.000Z",
        output,
      },
      "any",
    );
  const end = (status: "finished" | "stopped", reason?: string) =>
    endRun({ runId, execution: `${runId}-1`, status, ...(reason && { reason }) }, { records, clock });
  return { runId, records, clock, exported, end };
}

describe("the end of a run", () => {
  test("names the dataset that its export wrote", async () => {
    const { exported, end } = await world();
    await exported({ trials: 1, dataset: "datasets/forms/ver_1/" });
    expect(await end("finished")).toMatchObject({ status: "finished", dataset: "datasets/forms/ver_1/" });
  });

  test("names none where the spec asked for none", async () => {
    const { exported, end } = await world();
    await exported({ trials: 1 });
    expect(await end("finished")).not.toHaveProperty("dataset");
  });

  test("keeps its date when the function is called again", async () => {
    const { clock, end } = await world();
    const first = await end("finished");
    clock.advance(60_000);
    expect(await end("finished")).toEqual(first);
  });

  test("gives the reason of a run that stopped, and does not stop one that has finished", async () => {
    const { runId, records, end } = await world();
    await end("stopped", "trace: its image is gone");
    expect(await readRun(runId, records)).toMatchObject({
      status: "stopped",
      reason: "trace: its image is gone",
    });
    await end("finished");
    await end("stopped", "late");
    expect((await readRun(runId, records)).status).toBe("finished");
  });
});
