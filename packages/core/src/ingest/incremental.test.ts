import { describe, expect, test } from "vitest";
import {
  asked,
  content,
  ingestBench,
  long,
  type SourceTask,
  solution,
  taskOf,
  touch,
} from "../../../../test/fakes/ingest-bench.ts";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { readJsonLines } from "../stored-json.ts";
import { filesOf } from "./manifest.ts";

describe("a second ingest", () => {
  test("of an unchanged source reads the lists and no more, and stores a manifest and no more", async () => {
    await using api = await startProductionApi(content(100));
    const { ingest, ids } = ingestBench(api);
    const first = await ingest();
    const second = await ingest();
    expect(first).toMatchObject({ kind: "full", depth: 0, counts: { added: 100, requests: 110 } });
    expect(second).toMatchObject({ kind: "incremental", parent: first.snapshotId, depth: 1 });
    // One in 200 skipped tasks is fetched all the same.
    const audited = asked(api).length;
    expect(audited).toBeLessThanOrEqual(3);
    expect(second.counts).toMatchObject({
      rows: 0,
      unchanged: 100,
      checked: audited,
      requests: 10 + audited,
    });
    expect(filesOf(second)).toEqual([]);
    expect(await ids(second)).toEqual(await ids(first));
    expect(second.state).toEqual({ tasks: 100, solutions: 100 });
  });

  test("fetches what is new or has changed, and leaves the snapshot before as it was", async () => {
    await using api = await startProductionApi(content(6));
    const { ingest, row, ids } = ingestBench(api);
    const first = await ingest();
    api.tasks.push({ ...taskOf(api, "t0"), id: "new" });
    api.solutions.new = [solution("new-a")];
    api.solutions.t2?.push(solution("t2-b"));
    touch(api, "t2", "2025-12-01T00:00:00Z");
    const second = await ingest();
    expect(asked(api)).toEqual(["new/solutions", "t2/solutions"]);
    expect(second.counts).toMatchObject({
      added: 1,
      changed: 1,
      unchanged: 5,
      deleted: 0,
      rows: 2,
      solutions: 3,
    });
    expect((await row(second, "t2"))?.solutions).toHaveLength(2);
    expect((await row(first, "t2"))?.solutions).toHaveLength(1);
    expect(await ids(second)).toEqual(["t2", "new", "t0", "t1", "t3", "t4", "t5"]);
    expect(second.state).toEqual({ tasks: 7, solutions: 8 });
  });

  test("fetches tasks whose entries do not say when they changed, and stores none that is as it was", async () => {
    const { tasks, solutions } = content(4);
    await using api = await startProductionApi({
      tasks: tasks.map(({ updated_at: _, ...task }) => task),
      solutions,
    });
    const { ingest } = ingestBench(api);
    await ingest();
    (solutions.t3 as object[])[0] = solution("t3-a", "failed");
    const second = await ingest();
    expect(asked(api)).toHaveLength(4);
    expect(second.counts).toMatchObject({ rows: 1, changed: 1, unchanged: 3, checked: 3 });
  });

  test("looks at a task until its solutions are judged", async () => {
    await using api = await startProductionApi(content(4));
    api.solutions.t1 = [solution("t1-a", "pending")];
    api.solutions.t2 = [{ id: "t2-a", steps: [] }];
    const { ingest, row } = ingestBench(api);
    await ingest();
    expect((await ingest()).counts).toMatchObject({ rows: 0, checked: 2 });
    api.solutions.t1 = [solution("t1-a", "failed")];
    const third = await ingest();
    expect(asked(api)).toEqual(["t1/solutions", "t2/solutions"]);
    expect((await row(third, "t1"))?.solutions[0]?.evaluation?.status).toBe("failed");
    await ingest();
    expect(asked(api)).toEqual(["t2/solutions"]);
  });

  test("looks again at a task whose list entry counts other solutions than it has", async () => {
    await using api = await startProductionApi(content(3));
    taskOf(api, "t1").solutions_count = 2;
    const { ingest } = ingestBench(api);
    await ingest();
    await ingest();
    expect(asked(api)).toEqual(["t1/solutions"]);
  });

  test("looks again at a task whose details name another version than its entry", async () => {
    const { tasks, solutions } = content(3);
    await using api = await startProductionApi({ tasks, solutions });
    const { ingest } = ingestBench(api);
    /** The list gives no content, and for `t1` it is behind. */
    const behind: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!/\/tasks\?/.test(String(input))) return answer;
      const { results, total } = (await answer.json()) as { results: SourceTask[]; total: number };
      const briefs = results.map(({ prompt: _, ...brief }) =>
        brief.id === "t1" ? { ...brief, updated_at: "2025-05-01T00:00:00Z" } : brief,
      );
      return Response.json({ results: briefs, total });
    };
    await ingest({}, { fetch: behind });
    await ingest({}, { fetch: behind });
    expect(asked(api)).toEqual(["t1", "t1/solutions"]);
  });

  test("does not take what does not fit a second time", async () => {
    await using api = await startProductionApi(content(3));
    taskOf(api, "t1").tags = 3;
    api.solutions.t2 = [solution("t2-a"), { ...solution("x"), task_id: "t0" }];
    touch(api, "t2", long);
    const { ingest, objects } = ingestBench(api);
    const first = await ingest();
    const rejects = await Array.fromAsync(readJsonLines(objects, first.rejectParts[0]?.key ?? ""));
    expect(rejects).toMatchObject([
      { kind: "task", taskId: "t1" },
      {
        kind: "solution",
        taskId: "t2",
        reason: '`task_id`: names "t0", and the solution is listed under "t2"',
      },
    ]);
    expect((await ingest()).counts).toMatchObject({ rejects: 0, rows: 0, unchanged: 3 });
    expect(asked(api)).toEqual([]);
  });

  test("counts solutions that have vanished; the earlier snapshot keeps them", async () => {
    await using api = await startProductionApi(content(2));
    api.solutions.t0?.push(solution("t0-b"));
    touch(api, "t0", long);
    const { ingest, row } = ingestBench(api);
    const first = await ingest();
    api.solutions.t0 = [solution("t0-b")];
    touch(api, "t0", "2025-12-01T00:00:00Z");
    const second = await ingest();
    expect(second.counts).toMatchObject({ changed: 1, vanished: 1 });
    expect((await row(first, "t0"))?.solutions.map(({ id }) => id)).toEqual(["t0-a", "t0-b"]);
    expect((await row(second, "t0"))?.solutions.map(({ id }) => id)).toEqual(["t0-b"]);
  });
});

describe("tasks that the API never gives", () => {
  test("are put aside night after night, and keep no ingest from its end", async () => {
    const { tasks, solutions } = content(12);
    await using api = await startProductionApi({ tasks, solutions });
    api.quirks.faults = [{ match: /t(2|5|8)\/solutions/, kind: "status", status: 500, times: 10_000 }];
    const { ingest, ids } = ingestBench(api);
    const options = { maxRetries: 0 };
    expect((await ingest(options)).counts).toMatchObject({ added: 9, rejects: 3 });
    const second = await ingest(options);
    expect(second.counts).toMatchObject({ unchanged: 9, rejects: 3 });
    expect(await ids(second)).toHaveLength(9);
  });
});

describe("a task that the API does not let be read", () => {
  test("is put aside, and the others are taken", async () => {
    await using api = await startProductionApi(content(6));
    api.quirks.faults = [{ match: /t3\/solutions/, kind: "status", status: 403, times: 10_000 }];
    const { ingest, objects, ids } = ingestBench(api);
    const first = await ingest();
    expect(await ids(first)).toEqual(["t0", "t1", "t2", "t4", "t5"]);
    const rejects = await Array.fromAsync(readJsonLines(objects, first.rejectParts[0]?.key ?? ""));
    expect(rejects).toMatchObject([
      { kind: "task", taskId: "t3", reason: expect.stringContaining("HTTP 403") },
    ]);
    expect((await ingest()).counts).toMatchObject({ unchanged: 5, rejects: 1 });
  });

  test("ends the ingest when all are like that", async () => {
    await using api = await startProductionApi(content(6));
    api.quirks.faults = [{ match: /solutions/, kind: "status", status: 403, times: 10_000 }];
    await expect(ingestBench(api).ingest()).rejects.toMatchObject({ code: "unauthorized" });
  });
});

describe("a task that the lists name no longer", () => {
  test("is asked for by its id: gone, it leaves the state; under another status, it stays with that", async () => {
    await using api = await startProductionApi(content(5));
    const { ingest, ids, row, gone } = ingestBench(api);
    const first = await ingest();
    api.tasks.splice(1, 1);
    taskOf(api, "t3").status = "archived";
    const second = await ingest();
    expect(second.counts).toMatchObject({ deleted: 1, changed: 1, unchanged: 3 });
    expect(await gone(second)).toMatchObject([{ taskId: "t1", reason: "deleted" }]);
    expect((await ids(second)).sort()).toEqual(["t0", "t2", "t3", "t4"]);
    expect((await row(second, "t3"))?.task.status).toBe("archived");
    expect(await ids(first)).toHaveLength(5);
    // From then on it costs one request, and no row.
    const third = await ingest();
    expect(asked(api)).toEqual(["t3"]);
    expect(third.counts).toMatchObject({ rows: 0, deleted: 0 });
  });

  test("comes back as a new one", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest, ids } = ingestBench(api);
    await ingest();
    const [taken] = api.tasks.splice(1, 1);
    await ingest();
    api.tasks.push(taken);
    const third = await ingest();
    expect(third.counts).toMatchObject({ added: 1 });
    expect((await ids(third)).sort()).toEqual(["t0", "t1", "t2"]);
  });

  test("leaves the state when it has no solutions any more, unless such tasks are kept", async () => {
    await using api = await startProductionApi(content(2));
    const { ingest, ids, gone } = ingestBench(api);
    await ingest();
    api.solutions.t0 = [];
    touch(api, "t0", "2025-12-01T00:00:00Z");
    const second = await ingest();
    expect(await gone(second)).toMatchObject([{ taskId: "t0", reason: "emptied" }]);
    expect(await ids(second)).toEqual(["t1"]);
    expect((await ingest()).counts).toMatchObject({ unchanged: 2, checked: 0 });
  });

  test.each([{ maxTasks: 2 }, { search: "p" }, { since: "2025-01-01" }])(
    "is left in peace where the lists do not name all of them (%j)",
    async (limit) => {
      await using api = await startProductionApi(content(4));
      const { ingest, ids } = ingestBench(api);
      const first = await ingest(limit);
      const before = await ids(first);
      api.tasks.splice(1, 1);
      const second = await ingest(limit);
      expect(second.parent).toBe(first.snapshotId);
      expect(second.counts.deleted).toBe(0);
      expect(await ids(second)).toEqual(expect.arrayContaining(before));
    },
  );
});
