import { describe, expect, test } from "vitest";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { testClient } from "../../../../test/servers/production-client.ts";

const numbered = (count: number, prefix = "t") =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, prompt: "p" }));

test.each(["ftp://host/x", "nonsense", "https://me:pw@host/api"])("the base URL %s is refused", (baseUrl) => {
  expect(() => testClient(baseUrl)).toThrow(expect.objectContaining({ code: "invalid-input" }));
});

test("a query in the base URL is sent with every request and recorded nowhere", async () => {
  await using api = await startProductionApi({ tasks: numbered(3), quirks: { hint: "next-url" } });
  const { client } = testClient(`${api.url}?key=hush`, { taskPageSize: 1 });
  const pages = await Array.fromAsync(client.tasks({ status: "done" }));
  expect(pages).toHaveLength(3);
  expect(api.requests.every(({ url }) => url.includes("key=hush"))).toBe(true);
  expect(JSON.stringify([client.baseUrl, pages])).not.toContain("hush");
});

describe("ids in paths", () => {
  test("slashes, spaces and other letters arrive as they are", async () => {
    const id = "a/b c?d#é%2F";
    await using api = await startProductionApi({
      tasks: [{ id, prompt: "p" }],
      solutions: { [id]: [{ id: "s/1" }] },
    });
    const { client } = testClient(api.url);
    expect(await client.task(id)).toMatchObject({ id });
    expect(await client.solutions(id)).toEqual([{ id: "s/1" }]);
    expect(await client.solution("s/1")).toEqual({ id: "s/1" });
  });

  test("one that URLs take for a step in the tree is refused", async () => {
    await expect(testClient("http://127.0.0.1:1").client.solutions("..")).rejects.toMatchObject({
      code: "source-protocol",
    });
  });

  test("what the API does not have is nothing, not an error", async () => {
    await using api = await startProductionApi({ tasks: [] });
    const { client } = testClient(api.url);
    expect(await client.task("x")).toBeUndefined();
    expect(await client.solution("x")).toBeUndefined();
  });
});
