import { expect, test } from "vitest";
import { agentLabels } from "./agent-labels.ts";

test("agents are told apart by the options in which they differ, and only where they have to be", () => {
  const cold = { name: "tools", model: "m", options: { temperature: 0, maxTurns: 9 } };
  const hot = { name: "tools", model: "m", options: { temperature: 1, maxTurns: 9 } };
  const plain = { name: "tools", model: "m" };
  const labelOf = agentLabels([cold, hot, { name: "oracle" }]);
  expect([cold, hot, { name: "oracle" }].map(labelOf)).toEqual([
    'tools/m {"temperature":0}',
    'tools/m {"temperature":1}',
    "oracle",
  ]);
  expect(agentLabels([cold, plain])(plain)).toBe("tools/m");
  expect(agentLabels([cold, plain])(cold)).toBe('tools/m {"maxTurns":9,"temperature":0}');
});
