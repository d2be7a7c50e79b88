import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { createRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { productionActivity } from "../e2e/production-activity.ts";
import { repository, tracemill, type UserMachine, userMachine } from "../e2e/tracemill.ts";
import { type ProductionApi, startProductionApi } from "../servers/production-api.ts";
import { type Cloud, missing, openCloud } from "./cloud.ts";
import { bytesOf, differences, type Left, leftBy } from "./comparable.ts";
import { cloudUser, runIn } from "./user.ts";

const specFor = (baseUrl: string) => `name: same
source: { kind: prod, baseUrl: "${baseUrl}", taskPageSize: 3 }
tasks: [${join(repository, "examples/tasks")}]
agents: [{ name: oracle }, { name: replay }, { name: recorded }]
concurrency: 2
export: { name: same, formats: [sft, harbor, trials], splits: { train: 0.5, test: 0.5 }, seed: 3 }
`;

async function filesOf(prefix: string, objects: ObjectStore): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { key } of objects.list(prefix)) {
    files[key] = (await bytesOf(key, objects)).toString("base64");
  }
  return files;
}

describe.skipIf(missing !== undefined)(`a run on AWS${missing ? ` (${missing})` : ""}`, () => {
  let cloud: Cloud;
  let user: UserMachine;
  let runId: string;
  let api: ProductionApi;

  beforeAll(async () => {
    cloud = await openCloud();
    api = await startProductionApi({ ...productionActivity(6), quirks: { pageCap: 3 } });
    user = await cloudUser(cloud);
    await writeFile(join(user.dir, "spec.yaml"), specFor(api.url));
    const { runId: id, code, stdout } = await runIn(user, "run", "spec.yaml");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("scored") });
    runId = id;
    return async () => {
      await api.close();
      await user[Symbol.asyncDispose]();
    };
  });

  /** The same run, driven on one machine from the same snapshot. */
  async function locally(machine: UserMachine): Promise<Left> {
    await mkdir(machine.home, { recursive: true });
    const objects = openObjectStore(join(machine.home, "objects"));
    const records = openRecordStore(join(machine.home, "records.sqlite"));
    for await (const { key } of cloud.objects.list("raw/"))
      await objects.put(key, await bytesOf(key, cloud.objects));
    const stage = { pk: `run#${runId}`, sk: "stage#ingest" };
    await records.put(stage, (await cloud.records.get(stage))?.data, "absent");
    await createRun(await readRunSpec(runId, cloud.objects), { objects, records, clock: systemClock }, runId);
    expect(await tracemill(machine, "run", "--resume", runId)).toMatchObject({ code: 0 });
    return leftBy(runId, { objects, records });
  }

  test("leaves the records and objects that the local driver leaves", async () => {
    await using machine = await userMachine({
      TRACEMILL_PROD_BASE_URL: api.url,
      TRACEMILL_PROD_API_TOKEN: "secret-token",
    });
    const here = await locally(machine);
    const there = await leftBy(runId, cloud);
    expect(differences(there.rows, here.rows)).toEqual([]);
    expect(differences(there.objects, here.objects)).toEqual([]);
  });

  test("exports the bytes that an export on one machine gives", async () => {
    expect(await tracemill(user, "sync", "pull", "--run", runId)).toMatchObject({ code: 0 });
    const objects = openObjectStore(join(user.home, "objects"));
    const there = await filesOf("datasets/same/", cloud.objects);
    await rm(join(user.home, "objects/datasets"), { recursive: true });
    expect(await tracemill(user, "export", runId, "--on", "local")).toMatchObject({ code: 0 });
    const here = await filesOf("datasets/same/", objects);
    expect(Object.keys(there)).toHaveLength(15);
    expect(here).toEqual(there);
  });
});
