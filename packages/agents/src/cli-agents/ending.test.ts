import { describe, expect, test } from "vitest";
import { type Ended, endOf } from "./ending.ts";

const url = "https://api.example.com/v1/responses";
const failedWith = (parts: Partial<Ended>): Ended => ({
  program: "codex",
  result: { exitCode: 1, stdout: "", stderr: "line one\n\nit broke\n" },
  explained: undefined,
  last: undefined,
  answered: true,
  budget: { reached: undefined },
  stopped: false,
  ...parts,
});
const answer = (status: number, body: unknown): NonNullable<Ended["last"]> => ({
  url,
  response: { status, headers: {}, body },
});

function thrown(parts: Partial<Ended>): unknown {
  try {
    return endOf(failedWith(parts));
  } catch (error) {
    return error;
  }
}

describe("endOf", () => {
  test("a program that ends well, or is told to stop, has completed its part", () => {
    const well = { exitCode: 0, stdout: "", stderr: "" };
    expect(endOf(failedWith({ result: well }))).toEqual({ kind: "completed" });
    expect(endOf(failedWith({ stopped: true, last: answer(500, "") }))).toEqual({ kind: "completed" });
  });

  test("its own failure is told by its last words", () => {
    expect(endOf(failedWith({ last: answer(200, { status: "completed" }) }))).toEqual({
      kind: "agent-failed",
      failure: "error",
      reason: "codex exits with 1: line one; it broke",
    });
    expect(endOf(failedWith({ result: { exitCode: 2, stdout: "said\n", stderr: " " } }))).toMatchObject({
      reason: "codex exits with 2: said",
    });
  });

  test("a program whose output can be read is taken at its word", () => {
    const explained = { reason: "no such tool" };
    expect(endOf(failedWith({ explained }))).toMatchObject({ reason: "codex exits with 1: no such tool" });
    const limit = { reason: "3 turns", limit: true } as const;
    expect(endOf(failedWith({ explained: limit }))).toMatchObject({
      failure: "turn-limit",
      reason: "3 turns",
    });
  });

  test("a cap that is reached goes before whatever the program says of it", () => {
    const well = { exitCode: 0, stdout: "", stderr: "" };
    const turns = { reached: { kind: "turns" as const, reason: "2 turns" } };
    expect(endOf(failedWith({ result: well, budget: turns }))).toEqual({
      kind: "agent-failed",
      failure: "turn-limit",
      reason: "2 turns",
    });
    const tokens = { reached: { kind: "budget" as const, reason: "9 tokens used" } };
    expect(thrown({ result: well, budget: tokens })).toMatchObject({ code: "budget-exceeded" });
  });

  test.each([
    ["OpenAI", 400, { error: { code: "context_length_exceeded", message: "too long" } }],
    ["Anthropic", 400, { error: { message: "prompt is too long: 300000 tokens > 200000 maximum" } }],
    ["vLLM", 400, { message: "This model's maximum context length is 4096 tokens" }],
    [
      "a stream",
      200,
      {
        _events: [
          { data: { type: "response.failed", response: { error: { code: "context_length_exceeded" } } } },
        ],
      },
    ],
  ])("a conversation that no longer fits is the agent's limit, as %s says it", (_, status, body) => {
    expect(endOf(failedWith({ last: answer(status, body) }))).toMatchObject({ failure: "context-limit" });
  });

  test.each([
    [401, false],
    [404, false],
    [429, true],
    [503, true],
  ])("HTTP %i of the model's server is not the agent's failure", (status, retryable) => {
    expect(thrown({ last: answer(status, { error: "no" }) })).toMatchObject({
      code: "model-failed",
      retryable,
      message: expect.stringContaining(`HTTP ${status}`),
    });
  });

  test("a server that cannot be reached, or breaks off, is not the agent's failure", () => {
    const gone = { url, error: "connect ECONNREFUSED" };
    expect(thrown({ last: gone })).toMatchObject({ code: "model-failed", retryable: true });
    const cut = { ...answer(200, { _events: [] }), error: "the upstream broke off" };
    expect(thrown({ last: cut })).toMatchObject({ code: "model-failed", retryable: true });
  });

  test("a request that the server calls wrong is the agent's, once it has been answered before", () => {
    const wrong = answer(400, { error: { message: "bad tool result" } });
    expect(endOf(failedWith({ last: wrong }))).toMatchObject({ kind: "agent-failed", failure: "error" });
    expect(thrown({ last: wrong, answered: false })).toMatchObject({
      code: "model-failed",
      retryable: false,
    });
  });
});
