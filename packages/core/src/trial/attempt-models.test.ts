import { describe, expect, test } from "vitest";
import type { ModelAccess, ModelSettings } from "../ports/model-access.ts";
import type { ModelAnswer, RecordedExchange } from "../ports/model-client.ts";
import type { Limits } from "../run/spec.ts";
import { attemptModels } from "./attempt-models.ts";
import { AttemptBudget, RunBudget } from "./budget.ts";

const hi: ModelAnswer = {
  text: "Hi",
  toolCalls: [],
  finish: "stop",
  usage: { promptTokens: 10, completionTokens: 2, cachedTokens: 0 },
};

function world({
  answer = hi,
  replayed = false,
  limits = {},
}: {
  answer?: ModelAnswer;
  replayed?: boolean;
  limits?: Partial<Limits>;
} = {}) {
  const opened: [string, ModelSettings | undefined][] = [];
  const shared: ModelAccess = {
    open: async (model, settings) => {
      opened.push([model, settings]);
      return { model: settings?.label ?? model, replayed, complete: async () => answer };
    },
    upstream: async (model, label) => ({
      protocol: "responses",
      baseUrl: model,
      headers: {},
      model: label ?? model,
    }),
  };
  const whole = { run: {}, ...limits };
  const budget = new AttemptBudget(whole, new RunBudget(whole.run, 0), () => 0);
  const recorded: RecordedExchange[] = [];
  const attempt = {
    budget,
    clock: { now: () => 0 },
    record: (exchange: RecordedExchange) => recorded.push(exchange),
  };
  return { shared, attempt, budget, recorded, opened };
}

const messages = [{ role: "user" as const, content: "Hello" }];
const request = { messages, tools: [], signal: new AbortController().signal };

describe("a model that an attempt opens", () => {
  test("records what was said, and spends what it used", async () => {
    const { shared, attempt, budget, recorded } = world();
    const client = await attemptModels(shared, attempt).open("acme/m");
    await client.complete(request);
    expect(recorded).toMatchObject([{ model: "acme/m", replayed: false, request: { messages }, answer: hi }]);
    expect(budget.used).toEqual(hi.usage);
  });

  test("is asked no more once a cap is reached", async () => {
    const turns = world({ limits: { turns: 1 } });
    const client = await attemptModels(turns.shared, turns.attempt).open("acme/m");
    await client.complete(request);
    await expect(client.complete(request)).rejects.toMatchObject({ code: "turn-limit" });
    const tokens = world({ limits: { tokens: 12 } });
    const other = await attemptModels(tokens.shared, tokens.attempt).open("acme/m");
    await other.complete(request);
    await expect(other.complete(request)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(tokens.recorded).toHaveLength(1);
  });

  test("keeps the answer that went beyond a cap: it was paid for", async () => {
    const { shared, attempt, recorded } = world({ limits: { tokens: 5 } });
    const client = await attemptModels(shared, attempt).open("acme/m");
    await expect(client.complete(request)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(recorded).toHaveLength(1);
  });

  test("is held to its caps by a guess where its server says nothing of usage", async () => {
    const { usage: guessedUsage, ...silent } = hi;
    const answer = guessedUsage === undefined ? silent : { ...silent, guessedUsage };
    const { shared, attempt, recorded } = world({ answer, limits: { tokens: 12 } });
    const client = await attemptModels(shared, attempt).open("acme/m");
    await client.complete(request);
    await expect(client.complete(request)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(recorded).toMatchObject([{ answer }]);
  });

  test.each([
    ["played back", { replayed: true }],
    ["kept in the cache", { answer: { ...hi, cached: true } }],
  ])("costs nothing when its answer is %s", async (_, options) => {
    const { shared, attempt, budget, recorded } = world({ ...options, limits: { tokens: 5 } });
    const client = await attemptModels(shared, attempt).open("acme/m");
    await client.complete(request);
    expect(budget.used).toBeUndefined();
    expect(recorded).toHaveLength(1);
  });

  test("is the run's own server where it serves that model, under the name that agents use", async () => {
    const { shared, attempt, opened } = world();
    const endpoint = { baseUrl: "http://127.0.0.1:8000/v1", model: "weights" };
    const models = attemptModels(shared, { ...attempt, served: { model: "acme/m", endpoint } });
    expect((await models.open("acme/m", { temperature: 0 })).model).toBe("acme/m");
    expect(await models.upstream("acme/m")).toMatchObject({
      baseUrl: "http://127.0.0.1:8000/v1#weights",
      // Prices are looked up by the name that agents use.
      model: "acme/m",
    });
    await models.open("judge/m");
    expect(opened).toEqual([
      ["http://127.0.0.1:8000/v1#weights", { label: "acme/m", temperature: 0 }],
      ["judge/m", { label: "judge/m" }],
    ]);
  });
});
