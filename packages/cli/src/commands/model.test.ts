import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { printed, runCommand } from "../../../../test/fakes/printed.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { type ModelProvider, modelProvider } from "../../../../test/servers/model-provider.ts";
import { modelCommand } from "./model.ts";

let dir: TempDir;
let server: ModelProvider;
let spec: string;
beforeEach(async () => {
  dir = await tempDir();
  server = await modelProvider({ script: () => ({ text: "One, two." }), models: ["m"] });
  spec = join(dir.path, "spec.yaml");
  const lines = [
    "name: a",
    `tasks: [${dir.path}]`,
    "agents: [{ name: oracle }]",
    "sandbox: namespace",
    `providers: { acme: { url: "${server.origin}/v1" }, keyed: { url: "${server.origin}/v1", key: ACME_KEY } }`,
    "prices: { acme/m: { input: 3, output: 9 } }",
  ];
  await writeFile(spec, lines.join("\n"));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const model = (...args: string[]): Promise<string> => printed(dir.path, modelCommand, ...args);

describe("tracemill model check", () => {
  test("says what a server's model can do, and what is not known of it", async () => {
    const text = await model("check", `${server.origin}/v1`);
    expect(text).toMatch(/^model +m$/m);
    expect(text).toMatch(/^at +http.*\/v1 \(chat-completions\)$/m);
    expect(text).toMatch(/^answer +"One, two\.", stop$/m);
    expect(text).toMatch(/^tools +did not call/m);
    expect(text).toMatch(/^usage +100 in \(0 cached\), 10 out$/m);
    expect(text).toMatch(/^price +not known: budgets in dollars do not hold/m);
  });

  test("takes providers and prices from a spec, and prints a line for machines", async () => {
    const text = await model("check", "acme/m", "--spec", spec, "--json");
    expect(JSON.parse(text)).toMatchObject({
      type: "model",
      ok: true,
      reference: "acme/m",
      usage: { costUsd: 0.00039 },
      price: { from: "spec", price: { input: 3, output: 9 } },
    });
  });

  test.each([
    ["gpt-5.2", "invalid-spec", /did you mean openai/],
    ["keyed/m", "model-failed", /set the variable ACME_KEY/],
    ["acme/other", "model-failed", /no model other; it has m/],
    ["amce/m", "invalid-spec", /did you mean acme\/\?/],
  ])("fails for %s with what to do", async (reference, code, message) => {
    await expect(
      runCommand(dir.path, modelCommand, "check", reference, "--spec", spec),
    ).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test("takes a name of odd characters beside the variable of its key", async () => {
    const check = model("check", `${server.origin}/v1#a 50% b`, "--key-env", "ACME_KEY");
    await expect(check).rejects.toThrow(/model server\/a 50% b: the key of server is missing/);
  });

  test("waits for a server that loads, and says for what", async () => {
    const gone = `http://127.0.0.1:9/v1`;
    let seen = "";
    const failed = await printed(dir.path, modelCommand, "check", gone, "--wait", "5s").catch(
      (error: Error) => {
        seen = error.message;
        return "";
      },
    );
    expect(failed).toBe("");
    expect(seen).toMatch(/ECONNREFUSED.*\(waited 4\.0 s\)/);
  });
});

test("tracemill model list shows where models are and whether their keys are set", async () => {
  const text = await model("list", "--spec", spec);
  expect(text).toMatch(/^openai\/… +responses +https:\/\/api\.openai\.com\/v1 +OPENAI_API_KEY \(not set\)$/m);
  expect(text).toMatch(/^keyed\/… +chat-completions +http:.*ACME_KEY \(not set\)$/m);
  expect(text).toMatch(/^ollama\/… .*none wanted$/m);
});

describe("tracemill model prices", () => {
  test("shows list prices with their day, and long prompts on their own line", async () => {
    const text = await model("prices", "gpt-5.5");
    expect(text).toMatch(/^openai\/gpt-5\.5 +5 +0\.5 +30 +2026-07-24$/m);
    expect(text).toMatch(/^ {2}prompts > 272000 +10 +1 +45 +2026-07-24$/m);
  });

  test("finds a whole name in its dated and regional forms", async () => {
    const text = await model("prices", "bedrock/us.anthropic.claude-opus-4-8");
    expect(text).toMatch(
      /^bedrock\/us\.anthropic\.claude-opus-4-8 +5\.5 +0\.55 +6\.875 +27\.5 +2026-10-24$/m,
    );
  });

  test("shows the spec's own, and says how to give one that is not known", async () => {
    expect(await model("prices", "acme", "--spec", spec)).toMatch(/^acme\/m +3 +9 +the spec$/m);
    expect(await model("prices", "nowhere/x")).toContain('prices: { "nowhere/x": { input: 1, output: 2 } }');
  });
});
