import { text } from "node:stream/consumers";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { BudgetMeter, ReachedCap } from "@tracemill/core/ports/agent.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import { expect, test } from "vitest";
import {
  ask,
  captureWorld,
  openDoor,
  startUpstream,
  testSession,
} from "../../../../test/servers/capture-world.ts";

/** Room for so many tokens and turns. */
function meter(tokens: number, turns = 100): BudgetMeter & { spent: Usage[] } {
  const spent: Usage[] = [];
  let left = turns;
  let reached: ReachedCap | undefined;
  return {
    spent,
    admit: () => {
      if (left === 0) reached ??= { kind: "turns", reason: "limits.turns of 1 is reached" };
      left -= 1;
      return reached;
    },
    spend: (usage) => {
      spent.push(usage);
      const total = spent.reduce((sum, each) => sum + each.promptTokens + each.completionTokens, 0);
      if (total <= tokens) return;
      reached = { kind: "budget", reason: `limits.tokens of ${tokens} is reached` };
      throw new TracemillError("budget-exceeded", reached.reason);
    },
    get reached() {
      return reached;
    },
  };
}

const json = { "content-type": "application/json" };
const stream = { "content-type": "text/event-stream" };

async function through(
  protocol: ModelProtocol,
  budget: BudgetMeter,
  listener: Parameters<typeof startUpstream>[0],
  path: string,
  bodies: readonly string[],
) {
  await using upstream = await startUpstream(listener);
  await using world = await captureWorld();
  const baseUrl = protocol === "messages" ? upstream.url : `${upstream.url}/v1`;
  const cost = (_model: string, usage: Usage): number => usage.completionTokens / 1_000;
  const session = testSession("s", {
    upstream: { protocol, baseUrl, headers: {}, model: "m" },
    budget,
    cost,
  });
  await using door = await openDoor(world.proxy, session);
  const answers = [];
  for (const body of bodies) answers.push(await ask({ port: door.port, path, headers: json }, body));
  await world.proxy.end(session);
  return { answers, exchanges: session.exchanges };
}

test("a session above its tokens is answered in its provider's words, and the model is not asked", async () => {
  let asked = 0;
  const budget = meter(100);
  const { answers, exchanges } = await through(
    "messages",
    budget,
    async (request, response) => {
      asked += 1;
      await text(request);
      response.writeHead(200, json);
      response.end('{"model":"m-1","usage":{"input_tokens":90,"output_tokens":20}}');
    },
    "/v1/messages",
    ['{"model":"m"}', '{"model":"m"}'],
  );
  expect(asked).toBe(1);
  expect(budget.spent).toEqual([{ promptTokens: 90, completionTokens: 20, cachedTokens: 0, costUsd: 0.02 }]);
  expect(answers[1]).toMatchObject({ status: 400, headers: { "x-should-retry": "false" } });
  expect(JSON.parse(answers[1]?.text ?? "")).toEqual({
    type: "error",
    error: {
      type: "invalid_request_error",
      message: "Stopped by Tracemill: limits.tokens of 100 is reached",
    },
  });
  expect(exchanges[0]).toMatchObject({ usage: { promptTokens: 90, completionTokens: 20, costUsd: 0.02 } });
  expect(exchanges[1]).toMatchObject({ error: "Stopped by Tracemill: limits.tokens of 100 is reached" });
  // What the client saw.
  expect(exchanges[1]?.response).toMatchObject({ status: 400, body: JSON.parse(answers[1]?.text ?? "") });
  expect(exchanges[1]).not.toHaveProperty("usage");
});

test("turns are counted, and only those of models", async () => {
  const { answers } = await through(
    "responses",
    meter(1_000_000, 1),
    async (request, response) => {
      await text(request);
      response.writeHead(200, json);
      response.end("{}");
    },
    "/v1/responses",
    ["{}", "{}"],
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 400]);
});

test("a streamed answer of Chat Completions is asked for its usage, which the client does not see", async () => {
  const seen: string[] = [];
  const budget = meter(1_000);
  const delta = 'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n';
  const { answers } = await through(
    "chat-completions",
    budget,
    async (request, response) => {
      seen.push(await text(request));
      expect(request.headers["accept-encoding"]).toBe("identity");
      response.writeHead(200, stream);
      response.end(
        `${delta}data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\ndata: [DONE]\n\n`,
      );
    },
    "/v1/chat/completions",
    ['{"stream":true,"messages":[]}'],
  );
  expect(seen).toEqual(['{"stream_options":{"include_usage":true},"stream":true,"messages":[]}']);
  expect(answers[0]?.text).toBe(`${delta}data: [DONE]\n\n`);
  expect(budget.spent).toMatchObject([{ promptTokens: 7, completionTokens: 3 }]);
});

test("a server that does not know how to be asked for usage is asked as the client did, from then on", async () => {
  const seen: string[] = [];
  const { answers, exchanges } = await through(
    "chat-completions",
    meter(1_000),
    async (request, response) => {
      const body = await text(request);
      seen.push(body);
      const isRefused = body.includes("stream_options");
      response.writeHead(isRefused ? 422 : 200, isRefused ? json : stream);
      response.end(
        isRefused ? '{"detail":"stream_options: extra fields not permitted"}' : "data: [DONE]\n\n",
      );
    },
    "/v1/chat/completions",
    ['{"stream":true,"n":1}', '{"stream":true,"n":2}'],
  );
  expect(seen).toHaveLength(3);
  expect(seen.slice(1)).toEqual(['{"stream":true,"n":1}', '{"stream":true,"n":2}']);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(exchanges).toHaveLength(2);
});

test("another complaint of the server reaches the client as it is", async () => {
  const { answers } = await through(
    "chat-completions",
    meter(1_000),
    async (request, response) => {
      await text(request);
      response.writeHead(400, json);
      response.end('{"error":{"message":"no such model"}}');
    },
    "/v1/chat/completions",
    ['{"stream":true}'],
  );
  expect(answers[0]).toMatchObject({ status: 400, text: '{"error":{"message":"no such model"}}' });
});

test("where nobody says what was used, it is guessed by the texts, and said to be a guess", async () => {
  const budget = meter(100_000);
  const { exchanges } = await through(
    "messages",
    budget,
    async (request, response) => {
      await text(request);
      response.writeHead(200, json);
      response.end(JSON.stringify({ content: [{ type: "text", text: "word ".repeat(400) }] }));
    },
    "/v1/messages",
    [
      JSON.stringify({
        messages: [{ role: "user", content: "word ".repeat(800) }],
        image: "A".repeat(40_000),
      }),
    ],
  );
  expect(exchanges[0]?.usageEstimated).toBe(true);
  expect(budget.spent[0]?.promptTokens).toBeGreaterThan(990);
  expect(budget.spent[0]?.promptTokens).toBeLessThan(1_100);
  expect(budget.spent[0]?.completionTokens).toBeGreaterThan(490);
});

test("errors of a provider cost nothing", async () => {
  const budget = meter(10);
  await through(
    "responses",
    budget,
    async (request, response) => {
      await text(request);
      response.writeHead(429, json);
      response.end('{"error":{"message":"slow down"}}');
    },
    "/v1/responses",
    ["{}", "{}"],
  );
  expect(budget.spent).toEqual([]);
});
