import { expect, test } from "vitest";
import { readModelExchange } from "./model-reading.ts";

const exchange = {
  protocol: "messages",
  path: "/v1/messages",
  status: 200,
  asked: { model: "m", messages: [{ role: "user", content: "word ".repeat(80) }] },
  said: { model: "m-1", usage: { input_tokens: 5, output_tokens: 7, cache_read_input_tokens: 3 } },
  isCut: false,
} as const;

test("what the answer says of itself is taken, with its price", () => {
  const reading = readModelExchange(exchange, (model, { promptTokens }) =>
    model === "m-1" ? promptTokens : 0,
  );
  expect(reading).toEqual({
    model: "m-1",
    usage: { promptTokens: 8, completionTokens: 7, cachedTokens: 3, costUsd: 8 },
    isEstimate: false,
  });
});

test("an answer that was cut has used what it said at least", () => {
  const said = { usage: { input_tokens: 5, output_tokens: 1 }, content: [{ text: "word ".repeat(80) }] };
  const { usage, isEstimate } = readModelExchange({ ...exchange, said, isCut: true }, undefined);
  expect(isEstimate).toBe(true);
  expect(usage).toMatchObject({ promptTokens: 5, completionTokens: 100 });
});

test("a refused request used nothing, and what is no model's is not read", () => {
  expect(readModelExchange({ ...exchange, status: 429, said: { error: {} } }, undefined)).toEqual({
    model: "m",
  });
  expect(readModelExchange({ ...exchange, protocol: undefined }, undefined)).toEqual({});
});
