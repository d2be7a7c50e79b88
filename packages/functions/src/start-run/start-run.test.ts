import { agentRegistry } from "@tracemill/agents/registry.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { listRuns, readRunSpec } from "@tracemill/core/run/runs.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { keptExecutions, keptLog } from "../../test/fakes.ts";
import { type StartRunDeps, startRun } from "./start-run.ts";

const snapshotId = "snap_01JABCDEFGHJKMNPQRSTVWXYZ0";
const event = { spec: "nightly", source: "prod", snapshotId };

async function world(spec: Record<string, unknown> = {}) {
  const executions = keptExecutions();
  const clock = fakeClock();
  const deps: StartRunDeps = {
    objects: memoryObjectStore(),
    records: memoryRecordStore(),
    agents: agentRegistry(),
    clock,
    executions,
    log: keptLog(),
  };
  const nightly = { name: "nightly", tasks: ["snapshot:prod"], agents: [{ name: "oracle" }], ...spec };
  await deps.objects.put(objectKeys.storedSpec("nightly"), Buffer.from(JSON.stringify(nightly)));
  return { deps, executions, clock };
}

describe("a new snapshot", () => {
  test("starts one run of the stored spec, however often its event comes", async () => {
    const { deps, executions, clock } = await world({ limits: { time: "15m" } });
    const first = await startRun(event, deps);
    clock.advance(90_000);
    expect(await startRun(event, deps)).toEqual(first);
    expect(await gather(listRuns(deps.records))).toMatchObject([{ runId: first.runId, status: "running" }]);
    expect((await readRunSpec(first.runId, deps.objects)).limits.time).toBe(900_000);
    expect(executions.started).toEqual([
      {
        name: `${first.runId}-1`,
        input: {
          runId: first.runId,
          execution: `${first.runId}-1`,
          startedAt: Date.parse("2026-01-01T00:00:00.000Z"),
          resumed: false,
        },
      },
    ]);
  });

  test("starts the execution with the same input after a first try that failed half-way", async () => {
    const { deps, executions, clock } = await world();
    const inputs: unknown[] = [];
    const failing = {
      start: async ({ input }: { input: unknown }) => {
        inputs.push(input);
        throw new Error("throttled");
      },
    };
    await expect(startRun(event, { ...deps, executions: failing })).rejects.toThrow("throttled");
    clock.advance(60_000);
    await startRun(event, deps);
    expect(executions.started[0]?.input).toEqual(inputs[0]);
  });

  test("is what the run is over when the spec names its source: what it brought, if that is all that is wanted", async () => {
    const { deps } = await world({ tasks: [], source: { kind: "prod", take: "changed" } });
    const { runId } = await startRun(event, deps);
    const { source } = await readRunSpec(runId, deps.objects);
    expect(source).toMatchObject({ name: "prod", take: "changed", snapshot: snapshotId });
  });

  test("starts another run for another snapshot or another spec", async () => {
    const { deps } = await world();
    const { runId } = await startRun(event, deps);
    const other = await startRun({ ...event, snapshotId: "snap_01JABCDEFGHJKMNPQRSTVWXYZ1" }, deps);
    expect(other.runId).not.toBe(runId);
    expect(runId).toMatch(/^run_01JABCDEFG[0-9A-HJKMNP-TV-Z]{16}$/);
  });

  test.each([
    { why: "there is no such spec", spec: {}, name: "other", says: /specs\/other.json: no such object/ },
    {
      why: "its spec is wrong",
      spec: { agents: [] },
      name: "nightly",
      says: /specs\/nightly.json: `agents`/,
    },
    {
      why: "its spec wants folders that nobody sends",
      spec: { tasks: ["snapshot:prod", "./tasks"] },
      name: "nightly",
      says: /`tasks` names the folder \.\/tasks.*name snapshots only/,
    },
  ])("starts nothing when $why", async ({ spec, name, says }) => {
    const { deps, executions } = await world(spec);
    await expect(startRun({ ...event, spec: name }, deps)).rejects.toThrow(says);
    expect(executions.started).toEqual([]);
    expect(await gather(listRuns(deps.records))).toEqual([]);
  });
});
