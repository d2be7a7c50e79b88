import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import type { ModelAnswer, ModelRequest } from "../ports/model-client.ts";
import { createRedactor } from "../redact/create.ts";
import { collect } from "../streams.ts";
import { type AskingClient, type CacheAddress, cachedClient } from "./answer-cache.ts";

const address: CacheAddress = {
  protocol: "chat-completions",
  provider: "acme",
  place: "http://acme.test/v1",
  model: "m",
};

const whole: ModelAnswer = {
  text: "Hi",
  reasoning: "Hm.",
  toolCalls: [{ id: "a", name: "look", arguments: { at: ["x", 1, null] } }],
  finish: "tool-calls",
  usage: { promptTokens: 9, completionTokens: 2, cachedTokens: 0, costUsd: 0.5 },
  tokens: { completion: [1, 2], logprobs: [-0.5, 0] },
  carry: { protocol: "chat-completions", turn: { reasoning: "Hm." } },
};

/** A model that gives these answers in their order, with a cache before it. */
function cached(answers: readonly ModelAnswer[], objects = memoryObjectStore(), at = address) {
  let asked = 0;
  const client: AskingClient = {
    model: "acme/m",
    bodyOf: ({ messages }) => ({ messages }),
    complete: async () => {
      asked += 1;
      return answers[asked - 1] ?? whole;
    },
  };
  const reading = cachedClient(client, at, { objects, redactor: createRedactor() });
  const ask = (content: string, more: Partial<ModelRequest> = {}) =>
    reading.complete({
      messages: [{ role: "user", content }],
      tools: [],
      signal: new AbortController().signal,
      ...more,
    });
  return { ask, objects, asked: () => asked };
}

async function keysOf({ list }: { list: ReturnType<typeof memoryObjectStore>["list"] }): Promise<string[]> {
  return (await Array.fromAsync(list(""))).map(({ key }) => key);
}

describe("the response cache", () => {
  test("gives an answer again, whole and for nothing", async () => {
    const model = cached([whole]);
    expect(await model.ask("Hello")).toEqual(whole);
    const seen: unknown[] = [];
    const again = await model.ask("Hello", { onDelta: (delta) => seen.push(delta) });
    expect(again).toEqual({ ...whole, cached: true, usage: { ...whole.usage, costUsd: 0 } });
    expect(seen).toEqual([{ reasoning: "Hm." }, { text: "Hi" }]);
    expect(model.asked()).toBe(1);
    expect(await keysOf(model.objects)).toEqual([
      expect.stringMatching(/^models\/cache\/[0-9a-f]{64}\.json$/),
    ]);
  });

  test("tells apart what is asked, and where", async () => {
    const objects = memoryObjectStore();
    await cached([whole], objects).ask("Hello");
    for (const other of [
      { ...address, model: "n" },
      { ...address, place: "http://other.test/v1" },
      { ...address, provider: "other" },
      { ...address, protocol: "responses" as const },
    ]) {
      const model = cached([whole], objects, other);
      expect(await model.ask("Hello")).not.toHaveProperty("cached");
    }
    const same = cached([whole], objects);
    expect(await same.ask("Hello!")).not.toHaveProperty("cached");
    expect(await same.ask("Hello")).toHaveProperty("cached", true);
  });

  test.each<ModelAnswer["finish"]>(["length", "refusal", "more"])(
    "keeps no answer that ended with %s",
    async (finish) => {
      const model = cached([{ ...whole, finish }]);
      await model.ask("Hello");
      expect(await keysOf(model.objects)).toEqual([]);
    },
  );

  test("keeps no answer that holds a secret: it would be stored, or would not be what was said", async () => {
    const key = `ghp_${"A1b2C3d4e".repeat(4)}`;
    const model = cached([{ ...whole, text: `Your key is ${key}.` }]);
    expect((await model.ask("Hello")).text).toContain(key);
    expect(await keysOf(model.objects)).toEqual([]);
  });

  test("does not believe what is no answer", async () => {
    const model = cached([whole]);
    await model.ask("Hello");
    const [key = ""] = await keysOf(model.objects);
    const body = await model.objects.get(key);
    expect(body && JSON.parse((await collect(body)).toString())).toMatchObject({ schemaVersion: 1, address });
    await model.objects.put(key, Buffer.from('{"schemaVersion": 1'));
    await expect(model.ask("Hello")).rejects.toMatchObject({ code: "storage-corrupt" });
  });
});
