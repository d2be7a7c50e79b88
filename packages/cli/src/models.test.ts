import { expect, test } from "vitest";
import { fakeClock } from "../../../test/fakes/clock.ts";
import { readConfig } from "./config.ts";
import { openModels } from "./models.ts";

function modelsOf(env: Record<string, string>, url?: string) {
  const config = readConfig({ OPENAI_API_KEY: "sk-1", ...env });
  const providers = url === undefined ? {} : { openai: { url } };
  return openModels({ providers }, { config, clock: fakeClock(), random: () => 1 });
}

test("OPENAI_BASE_URL is heeded, with a slash at its end too; a spec's address goes before it", async () => {
  const env = { OPENAI_BASE_URL: "http://127.0.0.1:9/v1/" };
  expect(await modelsOf(env).upstream("openai/m")).toMatchObject({ baseUrl: "http://127.0.0.1:9/v1" });
  const own = modelsOf(env, "https://models.acme.test/v1");
  expect(await own.upstream("openai/m")).toMatchObject({ baseUrl: "https://models.acme.test/v1" });
});

test("an address that is none is told of by its variable's name, and not repeated", () => {
  expect(() => modelsOf({ OPENAI_BASE_URL: "api.acme.test/v1" })).toThrow(/^OPENAI_BASE_URL: is no address/);
  const withPassword = { ANTHROPIC_BASE_URL: "https://me:pw-secret@acme.test" };
  expect(() => modelsOf(withPassword)).toThrow(/^ANTHROPIC_BASE_URL: .*password/);
  expect(() => modelsOf(withPassword)).not.toThrow(/pw-secret/);
});
