import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../ports/model-client.ts";
import { readScenario, type Scenario, scenarioFiles, scenarioHash } from "./scenario.ts";

const scenario: Scenario = {
  schemaVersion: 1,
  name: "sum",
  kind: "qa",
  messages: [{ role: "user", content: "1 + 1?" }],
  tools: [],
  expected_answer: "2",
  metadata: { b: 1, a: 2 },
};

const file = (text: string) => [{ path: "scenario.json", content: Buffer.from(text), mode: 0o644 }];

describe("a scenario", () => {
  test("is read back from its file as it was", () => {
    expect(readScenario(scenarioFiles(scenario), "s")).toEqual(scenario);
  });

  test("has messages that a model client takes as they are", () => {
    const messages: ChatMessage[] = readScenario(scenarioFiles(scenario), "s").messages;
    expect(messages).toHaveLength(1);
  });

  test("has the same hash whatever the order of its keys and the files beside it", () => {
    const turned = {
      ...Object.fromEntries(Object.entries(scenario).toReversed()),
      metadata: { a: 2, b: 1 },
    } as unknown as Scenario;
    const hash = scenarioHash(scenarioFiles(scenario));
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(scenarioHash(scenarioFiles(turned))).toBe(hash);
    expect(
      scenarioHash([...scenarioFiles(scenario), { path: "README.md", content: Buffer.from("x"), mode: 0 }]),
    ).toBe(hash);
    expect(scenarioHash(scenarioFiles({ ...scenario, expected_answer: "3" }))).not.toBe(hash);
  });

  test.each([
    [[], /^s: scenario.json is not there/],
    [file("{"), /^s: scenario.json is not JSON/],
    [file("{}"), /^s: scenario.json: `schemaVersion`/],
    [file(JSON.stringify({ ...scenario, messages: [] })), /`messages`: needs at least one message/],
    [
      file(JSON.stringify({ ...scenario, mesages: [] })),
      /unknown key `mesages` \(did you mean `messages`\?\)/,
    ],
    [file(JSON.stringify({ ...scenario, expected_answer: 2 })), /`expected_answer`/],
  ])("is refused with the file and field (case %#)", (files, problem) => {
    expect(() => readScenario(files, "s")).toThrow(expect.objectContaining({ code: "invalid-task" }));
    expect(() => readScenario(files, "s")).toThrow(problem);
  });
});
