import { expect, test } from "vitest";
import { agentOf } from "./session-agent.ts";

test.each([
  ["codex_exec/0.169.0 (Debian 12; x86_64) unknown", { name: "codex", version: "0.169.0" }],
  ["codex_cli_rs/0.169.0", { name: "codex", version: "0.169.0" }],
  ["claude-cli/2.1.197 (external, cli)", { name: "claude-code", version: "2.1.197" }],
  ["OpenAI/Python 2.1.0", { name: "OpenAI", version: "unknown" }],
  ["node", { name: "node", version: "unknown" }],
  ["", { name: "unknown", version: "unknown" }],
])("%j is %j", (agent, expected) => {
  expect(agentOf({ request: { headers: { "user-agent": agent } } })).toEqual(expected);
});

test("one that says nothing is unknown", () => {
  expect(agentOf({ request: { headers: {} } })).toEqual({ name: "unknown", version: "unknown" });
});
