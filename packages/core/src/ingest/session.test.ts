import { describe, expect, test } from "vitest";
import { dyingFetch } from "../../../../test/fakes/dying.ts";
import { asked, content, ingestBench, solution, touch } from "../../../../test/fakes/ingest-bench.ts";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { objectKeys } from "../keys.ts";
import { readCursor } from "./cursor.ts";

describe("--since", () => {
  test("leaves alone what changed before, and takes it when it is not given any more", async () => {
    await using api = await startProductionApi(content(5));
    touch(api, "t1", "2025-12-20T00:00:00Z");
    const { ingest, ids } = ingestBench(api);
    const first = await ingest({ since: "30d" });
    expect(first.counts).toMatchObject({ rows: 1, older: 4 });
    expect(first.since).toBe("2025-12-03T00:00:00.000Z");
    expect(await ids(await ingest())).toHaveLength(5);
  });

  test("asks the API itself when its parameter is known; without a time, from the newest change on", async () => {
    await using api = await startProductionApi(content(3));
    api.solutions.t2 = [solution("t2-a", "pending")];
    const { ingest } = ingestBench(api);
    const first = await ingest({ sinceParam: "updated_after" });
    expect(first.filter).toBeUndefined();
    expect(first.newest).toBe("2025-06-01T00:00:00.000Z");
    api.tasks.splice(0, 3);
    const second = await ingest({ sinceParam: "updated_after" });
    const list = new URL(api.requests[0]?.url ?? "", api.url);
    expect(list.searchParams.get("updated_after")).toBe("2025-05-31T23:50:00.000Z");
    // What is still moving is looked at although the list does not name it; nothing is taken for gone.
    expect(asked(api)).toEqual(["t2"]);
    expect(second.counts.deleted).toBe(0);
    await ingest({ sinceParam: "updated_after", since: "2025-12-24" });
    const again = new URL(api.requests[0]?.url ?? "", api.url);
    expect(again.searchParams.get("updated_after")).toBe("2025-12-24T00:00:00.000Z");
  });

  test("does not move the time that the API is asked from: what a quick look left out is still asked for", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest } = ingestBench(api);
    await ingest();
    touch(api, "t0", "2025-12-20T00:00:00Z");
    touch(api, "t1", "2026-01-01T00:00:00Z");
    expect((await ingest({ since: "2025-12-31" })).counts).toMatchObject({ changed: 1, older: 2 });
    await ingest({ sinceParam: "updated_after" });
    const list = new URL(api.requests[0]?.url ?? "", api.url);
    expect(list.searchParams.get("updated_after")).toBe("2025-05-31T23:50:00.000Z");
  });

  test.each([-62_135_596_800_000, 1e20, "0000-01-01T00:00:00+05:00"])(
    "takes a timestamp that is no time (%s) for none",
    async (updatedAt) => {
      const { tasks, solutions } = content(2);
      await using api = await startProductionApi({
        tasks: tasks.map((task) => ({ ...task, updated_at: updatedAt })),
        solutions,
      });
      api.quirks.faults = [{ match: /t1\/solutions/, kind: "status", status: 500, times: 3 }];
      const manifest = await ingestBench(api).ingest({ maxRetries: 0 });
      expect(manifest.newest).toBeUndefined();
      expect(manifest.counts).toMatchObject({ rows: 1, rejects: 1 });
    },
  );

  test("is asked of the API from before a task that it would not give, also after a quick look", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest } = ingestBench(api);
    const asked = async (options: { since?: string } = {}) => {
      await ingest({ sinceParam: "updated_after", maxRetries: 0, ...options });
      return new URL(api.requests[0]?.url ?? "", api.url).searchParams.get("updated_after");
    };
    await asked();
    touch(api, "t0", "2025-12-20T00:00:00Z");
    touch(api, "t1", "2025-12-25T00:00:00Z");
    api.quirks.faults = [{ match: /t0\/solutions/, kind: "status", status: 500, times: 3 }];
    expect(await asked()).toBe("2025-05-31T23:50:00.000Z");
    expect(await asked({ since: "2025-12-24" })).toBe("2025-12-24T00:00:00.000Z");
    expect(await asked()).toBe("2025-12-19T23:50:00.000Z");
    expect(await asked()).toBe("2025-12-24T23:50:00.000Z");
  });

  test("is not asked of the API when the lists before were cut by --max-tasks", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest } = ingestBench(api);
    const options = { maxTasks: 2, sinceParam: "updated_after" };
    await ingest(options);
    expect((await ingest(options)).filter).toBeUndefined();
  });

  test.each(["yesterday", "3", "12 parsecs"])("of %s is refused with what it wants", async (since) => {
    await using api = await startProductionApi(content(1));
    await expect(ingestBench(api).ingest({ since })).rejects.toThrow(/`since`: .*2026-01-31 or 3d, 12h/);
  });
});

describe("a chain", () => {
  test("goes on with another page size, and begins anew with another query or --full", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest } = ingestBench(api);
    const first = await ingest();
    expect((await ingest({ taskPageSize: 2 })).parent).toBe(first.snapshotId);
    expect((await ingest({ statuses: ["done", "partial"] })).kind).toBe("full");
    expect((await ingest({ statuses: ["done", "partial"] })).kind).toBe("incremental");
    const full = await ingest({ statuses: ["done", "partial"], full: true });
    expect(full).toMatchObject({ kind: "full", counts: { added: 3 } });
    expect(full.parent).toBeUndefined();
  });

  test("keeps its order when the clock goes back", async () => {
    await using api = await startProductionApi(content(1));
    const { ingest, clock } = ingestBench(api);
    const first = await ingest();
    clock.advance(-90 * 86_400_000);
    const second = await ingest();
    expect(second.snapshotId > first.snapshotId).toBe(true);
  });

  test("an unfinished full ingest is gone on with by --full, an unfinished incremental one is dropped", async () => {
    await using api = await startProductionApi(content(30));
    const { ingest, records } = ingestBench(api);
    const openId = async () => (await readCursor(records, "prod"))?.data.snapshotId;
    await expect(ingest({ full: true }, { fetch: dyingFetch(9) })).rejects.toThrow();
    const open = await openId();
    expect((await ingest({ full: true })).snapshotId).toBe(open);
    await expect(ingest({}, { fetch: dyingFetch(1) })).rejects.toThrow();
    const dropped = await openId();
    const next = await ingest({ full: true });
    expect(next.kind).toBe("full");
    expect(next.snapshotId > (dropped ?? "")).toBe(true);
  });

  test("that has lost a snapshot says which, and how to begin anew", async () => {
    await using api = await startProductionApi(content(3));
    const { ingest, objects, ids } = ingestBench(api);
    const first = await ingest();
    const second = await ingest();
    await objects.delete(objectKeys.snapshotManifest("prod", first.snapshotId));
    await expect(ids(second)).rejects.toMatchObject({ code: "storage-corrupt" });
    await expect(ingest()).rejects.toThrow(new RegExp(`${first.snapshotId}.*--full`));
    expect((await ingest({ full: true })).counts.rows).toBe(3);
  });
});

describe("a list that cannot be gone on with", () => {
  test.each([400, 404, 410])("because its cursor is forgotten (%i) is begun again", async (status) => {
    await using api = await startProductionApi({ ...content(24), quirks: { hint: "next_cursor" } });
    const { ingest, ids } = ingestBench(api);
    const stopped = ingest({ taskPageSize: 5, concurrency: 1 }, { fetch: dyingFetch(14) });
    await expect(stopped).rejects.toMatchObject({ code: "unauthorized" });
    api.quirks.faults = [{ match: /cursor=/, kind: "status", status, body: { error: "expired" } }];
    const manifest = await ingest({ taskPageSize: 5 });
    expect((await ids(manifest)).sort()).toEqual(
      content(24)
        .tasks.map(({ id }) => id)
        .sort(),
    );
    expect(manifest.counts).toMatchObject({ rows: 24, duplicates: 0 });
  });

  test("because the API is having a bad moment is asked for once more", async () => {
    await using api = await startProductionApi(content(24));
    const { ingest, ids } = ingestBench(api);
    api.quirks.faults = [{ match: /tasks\?.*page=2/, kind: "status", status: 503, times: 2 }];
    const manifest = await ingest({ taskPageSize: 5, maxRetries: 0 });
    expect(await ids(manifest)).toHaveLength(24);
    expect(manifest.counts.duplicates).toBe(0);
  });
});
