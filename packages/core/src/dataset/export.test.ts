import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  allFormats,
  datasetHashes,
  datasetText,
  exportRun,
  storesWith,
} from "../../../../test/fakes/exported.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { writeRun } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { ExportSpec } from "../run/export-spec.ts";
import { exportDataset } from "./export.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

describe("same in, same out", () => {
  test("two homes with the same run get the same files to the byte", async () => {
    const first = await storesWith(dir.path, { trials: 40 });
    const second = { ...first, objects: memoryObjectStore(), records: memoryRecordStore() };
    await writeRun({ trials: 40 }, second);
    await exportRun(allFormats, first);
    await exportRun(allFormats, second);
    expect(await datasetHashes(second.objects)).toEqual(await datasetHashes(first.objects));
  });

  test("a second export finds the first and writes nothing", async () => {
    const deps = await storesWith(dir.path, { trials: 10 });
    const manifest = await exportRun(allFormats, deps);
    const put = () => Promise.reject(new Error("nothing is to be written"));
    const readOnly = { ...deps, objects: { ...deps.objects, put, putIfAbsent: put } };
    expect(await exportRun(allFormats, readOnly)).toEqual(manifest);
  });

  test("other options, other splits, and one more trial each make another version", async () => {
    const deps = await storesWith(dir.path, { trials: 10 });
    const versions = [
      await exportRun(allFormats, deps),
      await exportRun({ ...allFormats, minReward: 1 }, deps),
      await exportRun({ ...allFormats, splits: { train: 0.6, test: 0.3, val: 0.1 } }, deps),
    ];
    await writeRun({ trials: 11 }, deps);
    versions.push(await exportRun(allFormats, deps));
    expect(new Set(versions.map(({ version }) => version)).size).toBe(4);
  });

  test("an export that is killed after any write is finished by the next to the same bytes", async () => {
    const whole = await storesWith(dir.path, { trials: 12 });
    await exportRun(allFormats, whole);
    const expected = await datasetHashes(whole.objects);
    for (let survives = 0; survives < Object.keys(expected).length; survives += 1) {
      const stores = { ...whole, objects: memoryObjectStore(), records: memoryRecordStore() };
      await writeRun({ trials: 12 }, stores);
      let writes = 0;
      const putIfAbsent: ObjectStore["putIfAbsent"] = async (key, body) => {
        writes += 1;
        if (writes > survives) throw new Error("killed");
        return stores.objects.putIfAbsent(key, body);
      };
      await expect(
        exportRun(allFormats, { ...stores, objects: { ...stores.objects, putIfAbsent } }),
      ).rejects.toThrow();
      expect(
        Object.keys(await datasetHashes(stores.objects)).some((key) => key.endsWith("manifest.json")),
      ).toBe(false);
      await exportRun(allFormats, stores);
      expect(await datasetHashes(stores.objects)).toEqual(expected);
    }
  });

  test("an export that is cancelled says so and leaves no manifest", async () => {
    const deps = await storesWith(dir.path, { trials: 5 });
    await expect(exportRun(allFormats, { ...deps, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
    });
    expect(await gather(deps.objects.list("datasets/"))).toEqual([]);
  });
});

describe("what goes wrong", () => {
  test("shares that do not add up are refused before anything is read", async () => {
    const deps = await storesWith(dir.path, { trials: 1 });
    await expect(exportRun({ ...allFormats, splits: { train: 0.5 } }, deps)).rejects.toMatchObject({
      code: "invalid-spec",
      message: expect.stringContaining("export.splits"),
    });
  });

  test("an agent that the run lacks is refused, naming those that it has", async () => {
    const deps = await storesWith(dir.path, { trials: 4 });
    await expect(exportRun({ ...allFormats, agents: ["replay", "terminos"] }, deps)).rejects.toMatchObject({
      code: "invalid-spec",
      message:
        "`export.agents` (--agent): the run has no agent `terminos`; did you mean `terminus`? its agents are replay, terminus",
    });
    expect(await gather(deps.objects.list("datasets/"))).toEqual([]);
  });

  test("an agent of the run's spec that has no ended trial yet is none of its mistakes", async () => {
    const deps = await storesWith(dir.path, { trials: 4 });
    const spec = ExportSpec.parse({ ...allFormats, agents: ["late"] });
    const runSpec = { name: "r", agents: [{ name: "late" }] };
    const manifest = await exportDataset({ runId: "run_FIXTURE", spec, runSpec }, deps);
    expect(manifest.leftOut.formats.sft).toEqual({ agent: 4 });
  });

  test("a record of an ended attempt that is missing or damaged is named", async () => {
    const deps = await storesWith(dir.path, { trials: 3 });
    const [first] = (await gather(deps.objects.list("runs/"))).filter(({ key }) =>
      key.endsWith("result.json"),
    );
    const key = first?.key ?? "";
    await deps.objects.put(key, Buffer.from("{"));
    await expect(exportRun(allFormats, deps)).rejects.toMatchObject({
      code: "storage-corrupt",
      message: expect.stringContaining(key),
    });
    await deps.objects.delete(key);
    await expect(exportRun(allFormats, deps)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(key),
    });
  });

  test("values of the run's variables stay out of the dataset", async () => {
    const deps = await storesWith(dir.path, { trials: 3 });
    const spec = ExportSpec.parse(allFormats);
    const runSpec = { name: "r", env: { API_KEY: "s3cret" } };
    const manifest = await exportDataset({ runId: "run_FIXTURE", spec, runSpec }, deps);
    expect(await datasetText(deps.objects, manifest, "manifest.json")).not.toContain("s3cret");
    expect(manifest.spec).toEqual({ name: "r", env: { API_KEY: "(left out)" } });
  });
});
