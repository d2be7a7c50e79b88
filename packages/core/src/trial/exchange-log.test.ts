import { describe, expect, test } from "vitest";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryObjectStore, memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import { wordRedactor } from "../../../../test/fakes/word-redactor.ts";
import type { ChatMessage, Exchange, ModelAnswer } from "../ports/model-client.ts";
import type { Scratch } from "../ports/scratch.ts";
import { readJsonLines } from "../stored-json.ts";
import { ExchangeLog } from "./exchange-log.ts";

const at = "2026-01-01T00:00:00.000Z";

function exchange(messages: ChatMessage[], answer: Partial<ModelAnswer> = {}): Exchange {
  return {
    startedAt: at,
    endedAt: at,
    model: "acme/m",
    replayed: false,
    request: { messages, tools: [] },
    answer: { text: "ok", toolCalls: [], finish: "stop", ...answer },
  };
}

const say = (content: string): ChatMessage => ({ role: "user", content });
const tokens = { completion: [1, 2], logprobs: [-1, -2] };

async function stored(exchanges: readonly Exchange[]) {
  const objects = memoryObjectStore();
  const redactor = wordRedactor("hunter2");
  await using log = new ExchangeLog(memoryScratch(), redactor);
  for (const each of exchanges) log.record(each);
  await log.store("x", objects);
  return { lines: (await gather(readJsonLines(objects, "x"))) as Exchange[], redactor };
}

describe("what an attempt said to models", () => {
  test("is kept in its order", async () => {
    const { lines } = await stored([exchange([say("a")], { tokens }), exchange([say("b")])]);
    expect(lines.map(({ request }) => request.messages[0]?.content)).toEqual(["a", "b"]);
    expect(lines[0]?.answer.tokens).toEqual(tokens);
  });

  test("holds no secret, and no token ids that would spell one", async () => {
    const { lines, redactor } = await stored([
      exchange([say("it is hunter2")], { tokens }),
      exchange([say("a")], { text: "hunter2", tokens }),
      { ...exchange([say("b")], { tokens }), request: { messages: [], tools: [{ about: "hunter2" }] } },
    ]);
    expect(JSON.stringify(lines)).not.toContain("hunter2");
    expect(lines.map(({ answer }) => answer.tokens)).toEqual([undefined, undefined, undefined]);
    expect(redactor.counts).toEqual({ word: 3 });
  });

  test("is looked at once, however often a conversation repeats it", async () => {
    const messages = [say("hunter2")];
    const growing = Array.from({ length: 20 }, () => {
      messages.push(say("more"));
      return exchange([...messages]);
    });
    const { redactor } = await stored(growing);
    expect(redactor.counts).toEqual({ word: 1 });
    expect(redactor.asked).toBe(21 + 20);
  });

  test("makes no object when there was nothing", async () => {
    const objects = memoryObjectStore();
    await using log = new ExchangeLog(memoryScratch(), wordRedactor("x"));
    expect(await log.store("x", objects)).toBe(false);
    expect(await objects.head("x")).toBeUndefined();
  });

  test("fails when it could not be kept", async () => {
    const full: Scratch = { create: () => Promise.reject(new Error("the disk is full")) };
    await using log = new ExchangeLog(full, wordRedactor("x"));
    log.record(exchange([say("a")]));
    await expect(log.store("x", memoryObjectStore())).rejects.toThrow("the disk is full");
  });
});
