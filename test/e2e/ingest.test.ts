import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startProductionApi } from "../servers/production-api.ts";
import { productionActivity } from "./production-activity.ts";
import { jsonLines, showTrials, startTracemill, tracemill, userMachine } from "./tracemill.ts";

const token = "secret-token";

test("production activity is mirrored, prepared, and run from its snapshot", async () => {
  await using api = await startProductionApi({
    ...productionActivity(4),
    quirks: { listKey: "items", hint: "next-url" },
  });
  await using machine = await userMachine({
    AUTOPPIA_PROD_BASE_URL: api.url,
    AUTOPPIA_PROD_API_TOKEN: token,
  });
  expect(await tracemill(machine, "ingest", "--source", "acme")).toMatchObject({ code: 0 });
  expect(await tracemill(machine, "prepare", "acme")).toMatchObject({ code: 0 });
  await writeFile(
    join(machine.dir, "s.yaml"),
    "name: s\ntasks: [snapshot:acme]\nagents: [{ name: replay }]\n",
  );
  const plan = await tracemill(machine, "run", "s.yaml", "--dry-run");
  expect(plan.stdout).toContain("6 tasks, 10 trials");
  const asked = api.requests.length;
  expect(await tracemill(machine, "run", "s.yaml")).toMatchObject({ code: 0 });
  expect(api.requests).toHaveLength(asked);
  const trials = await showTrials(machine);
  const rewards = trials.map(({ solutionId, reward }) => [solutionId?.split(" ")[0], reward]);
  expect(rewards.filter(([kind]) => kind === "wrong").every(([, reward]) => reward === 0)).toBe(true);
  expect(rewards.filter(([kind]) => kind !== "wrong").every(([, reward]) => reward === 1)).toBe(true);
});

test("rows go to a file when one is named, one task once", async () => {
  await using api = await startProductionApi({
    ...productionActivity(4),
    quirks: { pageCap: 2, beyond: "repeat" },
  });
  await using machine = await userMachine({
    TRACEMILL_PROD_BASE_URL: api.url,
    TRACEMILL_PROD_API_TOKEN: token,
  });
  expect(await tracemill(machine, "ingest", "--output", "rows.jsonl")).toMatchObject({ code: 0 });
  const rows = jsonLines({ stdout: await readFile(join(machine.dir, "rows.jsonl"), "utf8") });
  expect(rows.map(({ task }) => (task as { id: string }).id)).toEqual([
    "shell/0",
    "shell/1",
    "shell/2",
    "shell/3",
    "sum-4",
    "sum-21",
  ]);
  expect(Object.keys(rows[0] ?? {})).toEqual(["task", "solutions", "fetched_at"]);
});

test("a wrong token stops at once and names the variable, never the token", async () => {
  await using api = await startProductionApi(productionActivity(1));
  await using machine = await userMachine({
    TRACEMILL_PROD_BASE_URL: api.url,
    TRACEMILL_PROD_API_TOKEN: "wrong-one",
  });
  const { code, stdout, stderr } = await tracemill(machine, "ingest");
  expect(code).toBe(2);
  expect(stderr).toContain("TRACEMILL_PROD_API_TOKEN");
  expect(stdout + stderr).not.toContain("wrong-one");
  expect(api.requests).toHaveLength(1);
});

test("an ingest that is killed goes on where it stopped", async () => {
  await using api = await startProductionApi({ ...productionActivity(20), quirks: { pageCap: 2 } });
  await using machine = await userMachine({
    TRACEMILL_PROD_BASE_URL: api.url,
    TRACEMILL_PROD_API_TOKEN: token,
  });
  const { child, finished } = startTracemill(machine, ["ingest", "--sleep-ms", "20"]);
  const watch = setInterval(() => {
    if (api.requests.length > 12) child.kill("SIGKILL");
  }, 5);
  expect(await finished).toMatchObject({ signal: "SIGKILL" });
  clearInterval(watch);
  const [manifest] = jsonLines<{ counts: { rows: number } }>(
    await tracemill(machine, "ingest", "--json"),
  ).slice(-1);
  expect(JSON.stringify(manifest)).toContain('"rows":22');
});

test("a second ingest fetches what has changed; a run takes that alone; earlier snapshots stay as they were", async () => {
  const { tasks, solutions } = productionActivity(6);
  const at = "2025-06-01T00:00:00Z";
  const listed = (tasks as { id: string }[]).map((task) => ({
    ...task,
    updated_at: at,
    solutions_count: solutions[task.id]?.length,
  }));
  await using api = await startProductionApi({ tasks: listed, solutions });
  await using machine = await userMachine({
    TRACEMILL_PROD_BASE_URL: api.url,
    TRACEMILL_PROD_API_TOKEN: token,
  });
  const [first] = jsonLines<{ snapshotId: string }>(await tracemill(machine, "ingest", "--json"));
  api.requests.length = 0;
  const again = await tracemill(machine, "ingest");
  expect(again.stdout).toMatch(/since snap_\w+: 0 added, 0 changed, 8 unchanged, 0 deleted\nstate: 8 tasks/);
  expect(api.requests.filter(({ url }) => !url.includes("/tasks?")).length).toBeLessThanOrEqual(1);

  Object.assign(listed[1] ?? {}, { updated_at: "2025-12-01T00:00:00Z", title: "Another" });
  const [gone] = listed.splice(2, 1);
  await writeFile(
    join(machine.dir, "s.yaml"),
    "name: s\nsource: { kind: prod, take: changed }\nagents: [{ name: oracle }]\n",
  );
  expect(await tracemill(machine, "run", "s.yaml")).toMatchObject({ code: 0 });
  expect(await showTrials(machine)).toHaveLength(1);

  const lines = jsonLines<{ snapshotId: string; kind: string; counts: Record<string, number> }>(
    await tracemill(machine, "snapshots", "prod", "--json"),
  );
  expect(lines.map(({ kind }) => kind)).toEqual(["full", "incremental", "incremental"]);
  expect(lines[2]?.counts).toMatchObject({ added: 0, changed: 1, unchanged: 6, deleted: 1 });
  const before = await tracemill(machine, "prepare", "prod", "--snapshot", first?.snapshotId ?? "", "--json");
  const now = await tracemill(machine, "prepare", "prod", "--json");
  const rowsOf = (output: { stdout: string }) =>
    jsonLines<{ counts: { rows: number } }>(output).at(-1)?.counts.rows;
  expect([rowsOf(before), rowsOf(now)]).toEqual([8, 7]);
  expect(gone?.id).toBe("shell/2");
});
