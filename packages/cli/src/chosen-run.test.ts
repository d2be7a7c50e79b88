import { recordKeys } from "@tracemill/core/keys.ts";
import { expect, test } from "vitest";
import { memoryRecordStore } from "../../../test/fakes/memory-stores.ts";
import { chosenRun } from "./chosen-run.ts";

const cloud = " --on aws --stage prod";

function homeWith(flags: string) {
  return { records: memoryRecordStore(), flags };
}

test("whoever names a run of AWS that is not there is told how to list those of AWS", async () => {
  await expect(chosenRun("nightly", homeWith(cloud))).rejects.toMatchObject({
    code: "not-found",
    message: "no run nightly here; `tracemill runs --on aws --stage prod` lists them",
  });
});

test("`latest` where nothing ran says how to start", async () => {
  await expect(chosenRun("latest", homeWith(cloud))).rejects.toThrow(
    "no runs yet; try: tracemill run SPEC --on aws --stage prod",
  );
  await expect(chosenRun("latest", homeWith(""))).rejects.toThrow("no runs yet; try: tracemill demo");
});

test("an id that fits several runs is not taken for a missing one", async () => {
  const home = homeWith(cloud);
  for (const runId of ["run_01A", "run_01B"]) {
    const row = { schemaVersion: 1, runId, name: "n", specHash: "x", createdAt: "2026-01-01T00:00:00.000Z" };
    await home.records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
  }
  await expect(chosenRun("run_01", home)).rejects.toMatchObject({ code: "invalid-input" });
  await expect(chosenRun("run_01B", home)).resolves.toMatchObject({ runId: "run_01B" });
});
