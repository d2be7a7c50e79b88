import { recordKeys } from "@tracemill/core/keys.ts";
import { listRuns } from "@tracemill/core/run/runs.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { productionActivity } from "../e2e/production-activity.ts";
import type { UserMachine } from "../e2e/tracemill.ts";
import { until } from "../emulators/peer/until.ts";
import { type ProductionApi, startProductionApi } from "../servers/production-api.ts";
import { type Cloud, missing, openCloud } from "./cloud.ts";
import { cloudUser } from "./user.ts";

/** As a user stores it: what new snapshots start runs of. `infra/stages/ci.yaml` names it. */
const nightly = {
  name: "nightly",
  tasks: ["snapshot:prod"],
  agents: [{ name: "oracle" }],
  export: { name: "nightly", formats: ["trials"], splits: { train: 1 } },
};

describe.skipIf(missing !== undefined)(`a schedule${missing ? ` (${missing})` : ""}`, () => {
  let cloud: Cloud;
  let user: UserMachine;
  let api: ProductionApi;

  beforeAll(async () => {
    cloud = await openCloud();
    user = await cloudUser(cloud);
    api = await startProductionApi(productionActivity(8));
    await cloud.objects.put("specs/nightly.json", Buffer.from(JSON.stringify(nightly)));
  });
  afterAll(async () => {
    await cloud.control.clearFaults();
    await api.close();
    await user[Symbol.asyncDispose]();
  });

  test("mirrors its source over several invocations, whose snapshot starts a run of its own", async () => {
    // So short a time, and so slow a source, that one invocation is not enough.
    await cloud.control.functionTimeout("tracemill-ci-ingest", 2.5);
    const source = { baseUrl: api.url, sleepMs: 300, concurrency: 1, taskPageSize: 2 };
    await cloud.control.fireSchedule("tracemill-ci-ingest", { source, firing: "2026-11-21T02:00:00Z" });
    const run = await until(async () => {
      const runs = await Array.fromAsync(listRuns(cloud.records));
      const found = runs.find(({ name }) => name === "nightly");
      return found !== undefined && found.status !== "running" ? found : undefined;
    }, 100_000);
    expect(run).toMatchObject({ status: "finished", dataset: expect.stringContaining("datasets/nightly/") });
    const mirrors = (await cloud.control.invocations()).filter(
      ({ function: name, event }) => name === "tracemill-ci-ingest" && !("runId" in (event as object)),
    );
    expect(mirrors.length).toBeGreaterThan(1);
    expect(mirrors.filter(({ error }) => error !== undefined)).toEqual([]);
    const rows = await Array.fromAsync(
      cloud.records.query(recordKeys.trial(run.runId, "").pk, { prefix: "trial#" }),
    );
    expect(rows).toHaveLength(8);
    // Each page once, over all invocations.
    const details = api.requests.filter(({ url }) => /\/tasks\/[^/?]+$/.test(url)).map(({ url }) => url);
    expect(new Set(details).size).toBe(details.length);
  });
});
