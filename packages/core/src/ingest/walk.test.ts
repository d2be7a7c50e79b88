import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { type Hint, type Quirks, startProductionApi } from "../../../../test/servers/production-api.ts";
import { idsOf, listedIds, testClient } from "../../../../test/servers/production-client.ts";
import { createProductionClient } from "./client.ts";

const numbered = (count: number, prefix = "t") =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, prompt: "p" }));

function replace(target: Quirks, source: Quirks): void {
  for (const key of Object.keys(target)) delete target[key as keyof Quirks];
  Object.assign(target, source);
}

describe("pages", () => {
  const hints: Hint[] = [
    ...([
      "total",
      "next-url",
      "next-relative-url",
      "next-number",
      "next-boolean",
      "hasNext",
      "has_next",
    ] as const),
    ...(["next_cursor", "nextCursor", "cursor", "none"] as const),
  ];
  const quirks = fc.record({
    pageCap: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    hint: fc.constantFrom(...hints),
    listKey: fc.constantFrom(...(["results", "items", "data", "tasks", "bare"] as const)),
    beyond: fc.constantFrom(...(["empty", "404", "repeat"] as const)),
  });
  const sizes = { count: fc.nat(40), pageSize: fc.integer({ min: 1, max: 45 }) };

  test("any page size, cap, list key and hint give every task once, in order, for one request too many at most", async () => {
    await using api = await startProductionApi({ tasks: [] });
    const property = fc.asyncProperty(
      fc.record({ ...sizes, quirks }),
      async ({ count, pageSize, quirks }) => {
        api.tasks = numbered(count);
        api.requests.length = 0;
        replace(api.quirks, quirks as Quirks);
        const { client } = testClient(api.url, { taskPageSize: pageSize });
        expect(await listedIds(client)).toEqual(numbered(count).map((task) => task.id));
        const pages = Math.ceil(count / Math.min(pageSize, quirks.pageCap ?? pageSize));
        expect(api.requests.length).toBeLessThanOrEqual(pages + 1);
      },
    );
    await fc.assert(property, { numRuns: 150 });
  });

  test("any page can be gone on from", async () => {
    await using api = await startProductionApi({ tasks: numbered(23) });
    const property = fc.asyncProperty(quirks, fc.nat(10), async (given, skip) => {
      replace(api.quirks, given as Quirks);
      const { client } = testClient(api.url, { taskPageSize: 5 });
      const pages = await Array.fromAsync(client.tasks({ status: "done" }));
      const from = pages[skip % pages.length];
      const ids = await idsOf(client.tasks({ status: "done", ...(from && { from: from.position }) }));
      expect(ids).toEqual(
        numbered(23)
          .map((task) => task.id)
          .slice((skip % pages.length) * (pages[0]?.items.length ?? 0)),
      );
    });
    await fc.assert(property, { numRuns: 40 });
  });

  test.each(["none", "hasNext", "total"] as const)(
    "a server that gives the same page for ever does not hold the ingest (%s)",
    async (hint) => {
      await using api = await startProductionApi({
        tasks: numbered(10),
        quirks: { hint, ignoresPage: true },
      });
      const { client } = testClient(api.url, { taskPageSize: 4 });
      expect(await listedIds(client)).toEqual(["t0", "t1", "t2", "t3"]);
      expect(api.requests.length).toBeLessThan(8);
    },
  );

  test("of lists that say nothing, those shorter than the longest cost one request", async () => {
    const solutions = { a: numbered(3), b: numbered(2), c: numbered(1) };
    await using api = await startProductionApi({ tasks: [], solutions, quirks: { listKey: "bare" } });
    const { client } = testClient(api.url);
    for (const [id, expected] of Object.entries(solutions))
      expect(await client.solutions(id)).toEqual(expected);
    expect(api.requests.map(({ url }) => /tasks\/(.)/.exec(url)?.[1])).toEqual(["a", "a", "b", "c"]);
  });

  test("`total` is believed over a missing `next`", async () => {
    const pages: Record<string, unknown> = {
      1: { data: { tasks: numbered(2), pagination: { total: 3, next: null } } },
      2: { data: { tasks: [{ id: "t2" }], pagination: { total: 3, next: null } } },
    };
    const answer: typeof fetch = async (url) =>
      Response.json(pages[new URL(String(url)).searchParams.get("page") ?? ""] ?? { data: [] });
    const deps = { fetch: answer, clock: fakeClock(), random: () => 0.5 };
    const client = createProductionClient({ baseUrl: "http://api.test", token: "t", taskPageSize: 2 }, deps);
    expect(await listedIds(client)).toEqual(["t0", "t1", "t2"]);
  });

  test("an answer without a list is an error that says where a list was looked for", async () => {
    const deps = { fetch: async () => Response.json({ rows: [] }), clock: fakeClock(), random: () => 0.5 };
    const client = createProductionClient({ baseUrl: "http://api.test", token: "t" }, deps as never);
    await expect(listedIds(client)).rejects.toMatchObject({
      code: "source-protocol",
      message: expect.stringMatching(/results, items, data, tasks \(found: rows\)/),
    });
  });

  test("status, search and page size are asked for", async () => {
    await using api = await startProductionApi({ tasks: [] });
    const { client } = testClient(`${api.url}/`, { taskPageSize: 7 });
    await idsOf(client.tasks({ status: "done", search: "a&b ü" }));
    const { pathname, searchParams } = new URL(api.requests[0]?.url ?? "", api.url);
    expect(pathname).toBe("/api/v1/tasks");
    expect(Object.fromEntries(searchParams)).toEqual({
      status: "done",
      search: "a&b ü",
      page: "1",
      page_size: "7",
    });
  });
});
