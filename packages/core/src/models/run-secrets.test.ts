import { expect, test } from "vitest";
import type { SecretStore } from "../ports/secrets.ts";
import { parseRunSpec } from "../run/spec.ts";
import { keysOfRun, requireKeys, secretsOfRun } from "./run-secrets.ts";

const spec = parseRunSpec(
  {
    name: "t",
    tasks: ["."],
    agents: [
      { name: "tools", model: "openai/gpt-x" },
      { name: "tools", model: "acme/m" },
      { name: "tools", model: "Qwen/Qwen3-8B" },
      { name: "tools", model: "http://127.0.0.1:8000/v1" },
      { name: "oracle" },
    ],
    roles: { judge: "openai/gpt-y" },
    providers: { acme: { url: "https://models.acme.example/v1", key: "ACME_KEY" } },
  },
  "spec",
);

test("the keys of a run are those of its models' providers, each once", () => {
  expect(keysOfRun(spec)).toEqual(["OPENAI_API_KEY", "ACME_KEY"]);
});

test("a key that is not set, or may not be read, is no secret to look for", async () => {
  const secrets: SecretStore = {
    get: async (name) => {
      if (name === "ACME_KEY") throw new Error("denied");
      return "value";
    },
  };
  expect(await secretsOfRun(spec, secrets)).toEqual([{ value: "value", kind: "openai-api-key" }]);
});

test("secrets among the variables for tasks and servers are known, whatever they look like", async () => {
  const { models } = parseRunSpec(
    {
      name: "t",
      tasks: ["."],
      agents: [{ name: "oracle" }],
      models: { m: { env: { HF_TOKEN: "let me load" } } },
    },
    "spec",
  );
  const env = { DB_PASSWORD: "correct horse", MODE: "production" };
  const secrets: SecretStore = { get: async () => undefined };
  expect(await secretsOfRun({ ...spec, env, models }, secrets)).toEqual([
    { value: "correct horse", kind: "db-password" },
    { value: "let me load", kind: "hf-token" },
  ]);
});

test("a run whose agent's model lacks its key does not begin; one with a server of its own wants none", async () => {
  const none: SecretStore = { get: async () => undefined };
  await expect(requireKeys(spec, none)).rejects.toMatchObject({
    code: "unauthorized",
    message: expect.stringContaining("set the variable OPENAI_API_KEY") as unknown,
  });
  const options = { baseUrl: "http://127.0.0.1:8000/v1" };
  const agents = [{ name: "tools", model: "openai/gpt-x", options }];
  await expect(requireKeys({ ...spec, agents }, none)).resolves.toBeUndefined();
  const own = { ...spec, agents: [{ name: "tools", model: "openai/gpt-x" }] };
  const { models } = parseRunSpec(
    { name: "t", tasks: ["."], agents: [{ name: "oracle" }], models: { "openai/gpt-x": {} } },
    "spec",
  );
  await expect(requireKeys({ ...own, models }, none)).resolves.toBeUndefined();
});
