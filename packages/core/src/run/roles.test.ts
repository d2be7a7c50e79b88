import { expect, test } from "vitest";
import type { Agent, AgentRegistry } from "../ports/agent.ts";
import { resolveRoles } from "./roles.ts";
import { parseRunSpec } from "./spec.ts";

const agents: AgentRegistry = (name) => ({ name, takesModel: name.startsWith("llm") }) as Agent;
const spec = (parts: Record<string, unknown>) => parseRunSpec({ name: "t", tasks: ["."], ...parts }, "spec");

test("an agent that takes a model has the policy's when it names none", () => {
  const given = spec({
    agents: [{ name: "llm" }, { name: "llm-own", model: "acme/own" }, { name: "oracle" }],
    roles: { policy: "acme/policy" },
  });
  expect(resolveRoles(given, agents).agents).toEqual([
    { name: "llm", model: "acme/policy" },
    { name: "llm-own", model: "acme/own" },
    { name: "oracle" },
  ]);
});

test("the command line goes before the spec", () => {
  const given = spec({ agents: [{ name: "llm", model: "acme/own" }], roles: { judge: "openai/j" } });
  const { agents: resolved, roles } = resolveRoles(given, agents, { model: "x/y", judge: "groq/j" });
  expect(resolved).toEqual([{ name: "llm", model: "x/y" }]);
  expect(roles).toEqual({ policy: "x/y", judge: "groq/j" });
});

test("a model for an agent that asks none, and a judge that nobody serves, are refused", () => {
  const given = spec({ agents: [{ name: "oracle", model: "a/1" }] });
  expect(() => resolveRoles(given, agents)).toThrow("agents: oracle asks no model; leave out `model: a/1`");
  const judged = spec({ agents: [{ name: "oracle" }] });
  expect(() => resolveRoles(judged, agents, { judge: "opnai/j" })).toThrow("did you mean openai/?");
});

test("a model for nobody, and agents that it makes alike, are refused", () => {
  const none = spec({ agents: [{ name: "oracle" }] });
  expect(() => resolveRoles(none, agents, { model: "x/y" })).toThrow("no agent of the spec takes a model");
  const two = spec({
    agents: [
      { name: "llm", model: "a/1" },
      { name: "llm", model: "a/2" },
    ],
  });
  expect(() => resolveRoles(two, agents, { model: "x/y" })).toThrow("names llm twice");
});
