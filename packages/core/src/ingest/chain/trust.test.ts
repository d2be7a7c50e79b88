import { describe, expect, test } from "vitest";
import { asked, content, ingestBench, solution, taskOf } from "../../../../../test/fakes/ingest-bench.ts";
import { startProductionApi } from "../../../../../test/servers/production-api.ts";

describe("a source whose entries cannot be trusted", () => {
  test("is found out by the tasks that are looked at all the same, and fetched whole from then on", async () => {
    await using api = await startProductionApi(content(400));
    const { ingest, row } = ingestBench(api);
    await ingest({ taskPageSize: 100 });
    for (const [id, [first]] of Object.entries(api.solutions)) {
      api.solutions[id] = [{ ...(first as object), steps: [{ message: "edited" }] }];
    }
    let last = await ingest({ taskPageSize: 100 });
    for (let night = 0; last.evidence.hidden === 0 && night < 5; night += 1) {
      last = await ingest({ taskPageSize: 100 });
    }
    expect(last.evidence.hidden).toBeGreaterThan(0);
    const next = await ingest({ taskPageSize: 100 });
    expect(next.counts.checked + next.counts.changed).toBe(400);
    for (const id of Object.keys(api.solutions)) {
      expect((await row(next, id))?.solutions[0]?.steps).toEqual([{ message: "edited" }]);
    }
    // It stays that way until a new chain is begun.
    await ingest({ taskPageSize: 100 });
    expect(asked(api).length).toBeGreaterThanOrEqual(400);
    await ingest({ taskPageSize: 100, full: true });
    await ingest({ taskPageSize: 100 });
    expect(asked(api).length).toBeLessThan(10);
  }, 60_000);

  test("is not taken for one when a task changes while it is looked at", async () => {
    const { tasks, solutions } = content(1);
    await using api = await startProductionApi({ tasks, solutions });
    // Without a count the task is fetched each time, so that the change is seen.
    delete taskOf(api, "t0").solutions_count;
    const { ingest } = ingestBench(api);
    await ingest();
    const racing: typeof fetch = async (input, init) => {
      if (/solutions/.test(String(input))) {
        api.solutions.t0 = [solution("t0-a"), solution("t0-b")];
        taskOf(api, "t0").updated_at = "2025-12-01T00:00:00Z";
      }
      return fetch(input, init);
    };
    const second = await ingest({}, { fetch: racing });
    expect(second.evidence).toEqual({ shown: 0, hidden: 0 });
    expect(second.counts.changed).toBe(1);
  });

  test("is skipped by its timestamps alone once they have moved with 20 changes of solutions", async () => {
    const { tasks, solutions } = content(30);
    await using api = await startProductionApi({
      tasks: tasks.map(({ solutions_count: _, ...task }) => task),
      solutions,
    });
    const { ingest } = ingestBench(api);
    await ingest();
    await ingest();
    expect(asked(api)).toHaveLength(30);
    for (let index = 0; index < 20; index += 1) {
      api.solutions[`t${index}`]?.push(solution(`t${index}-b`));
      taskOf(api, `t${index}`).updated_at = "2025-12-01T00:00:00Z";
    }
    expect((await ingest()).evidence).toEqual({ shown: 20, hidden: 0 });
    await ingest();
    expect(asked(api).length).toBeLessThanOrEqual(2);
  });
});
