import { join } from "node:path";
import { expect, test } from "vitest";
import { storedTexts } from "../fakes/stored-texts.ts";
import { type ModelProvider, modelProvider } from "../servers/model-provider.ts";
import { repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

const example = join(repository, "examples/pipelines/tools.yaml");

/** Solves each of the example's tasks by its first tool call, and says so by its second answer. */
const solver = (): Promise<ModelProvider> =>
  modelProvider({
    models: ["m-1"],
    script: ({ messages }) => {
      const isSorting = messages.some(({ text }) => text.includes("words.txt"));
      const command = isSorting ? "LC_ALL=C sort -u words.txt > sorted.txt" : "bash /nowhere";
      return messages.some(({ role }) => role === "tool")
        ? { text: "Done." }
        : { toolCalls: [{ name: "bash", arguments: { command } }] };
    },
  });

/** A reference as a user writes it, and the variables by which it leads to a server of this machine. */
const places = [
  [
    "openai/gpt-5.2",
    (model: ModelProvider) => ({ OPENAI_BASE_URL: model.baseUrl("responses"), OPENAI_API_KEY: "k-1" }),
  ],
  [
    "anthropic/claude-haiku-4-5",
    (model: ModelProvider) => ({ ANTHROPIC_BASE_URL: model.baseUrl("messages"), ANTHROPIC_API_KEY: "k-1" }),
  ],
  [
    "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
    (model: ModelProvider) => ({
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: model.baseUrl("converse"),
      AWS_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: "x",
      AWS_SECRET_ACCESS_KEY: "x",
    }),
  ],
  ["http", () => ({})],
] as const;

test.each(places)("the example runs with --model %s", async (reference, variables) => {
  await using model = await solver();
  await using machine = await userMachine(variables(model));
  const name = reference === "http" ? model.baseUrl("chat-completions") : reference;
  const ran = await tracemill(machine, "run", example, "--model", name);
  expect(ran).toMatchObject({ code: 0 });
  const sorted = (await showTrials(machine)).find(({ task }) => task === "examples/sort-words");
  expect(sorted).toMatchObject({ outcome: "scored", reward: 1 });
  const shown = await tracemill(machine, "report", "latest", "--json");
  expect(shown.stdout).toContain(JSON.stringify(name));
});

test("a run whose model lacks its key does not begin, and says which variable is missing", async () => {
  await using machine = await userMachine();
  const { code, stderr } = await tracemill(machine, "run", example, "--model", "openai/gpt-5.2");
  expect(code).not.toBe(0);
  expect(stderr).toContain("OPENAI_API_KEY");
  expect((await tracemill(machine, "runs", "--json")).stdout).toBe("");
});

test("the key is in nothing that is written", async () => {
  await using model = await solver();
  const key = ["k", "not-of-any-known-form", "31415"].join("-");
  await using machine = await userMachine({
    OPENAI_BASE_URL: model.baseUrl("responses"),
    OPENAI_API_KEY: key,
  });
  expect(await tracemill(machine, "run", example, "--model", "openai/gpt-5.2")).toMatchObject({ code: 0 });
  expect(model.asked[0]?.headers.authorization).toBe(`Bearer ${key}`);
  const found = (await storedTexts(machine.home)).filter(({ text }) => text.includes(key));
  expect(found.map(({ path }) => path)).toEqual([]);
});
