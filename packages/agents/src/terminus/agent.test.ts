import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { harborTaskRef, scenarioTaskRef } from "@tracemill/core/run/task-ref.ts";
import { Scenario } from "@tracemill/core/scenario/scenario.ts";
import { describe, expect, test } from "vitest";
import { agentContext } from "../../../../test/fakes/agent-context.ts";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import { terminus } from "./agent.ts";

const origin = { kind: "folder", path: "t" } as const;
const references = [{ solutionId: "s1", trajectoryKey: "references/s1.json" }];
const provenance = { hash: "a".repeat(64), origin, references };

describe("a spec with terminus", () => {
  const check = (options: Record<string, unknown>, model: string | undefined = "openai/gpt-5.2") => {
    const agent = { name: "terminus", ...(model === "" ? {} : { model }), options };
    terminus.check?.(agent, parseRunSpec({ name: "t", tasks: ["."], agents: [agent] }, "spec"));
  };

  test("is good with every option that there is", () => {
    check({});
    check({
      ...{ parser: "xml", maxTurns: 5, maxMalformed: 2, contextTokens: 32_000, summarize: false },
      ...{ cols: 120, rows: 50, wait: "full", instructions: "Use fish.", reasoningEffort: 2_048 },
      ...{ maxTokens: 100, temperature: 0, requestTimeout: "2m", extraBody: { seed: 1 } },
    });
  });

  test.each<[string, Record<string, unknown>, string | undefined, RegExp]>([
    ["names no model", {}, "", /terminus wants a `model`, or `roles.policy`/],
    ["names one of nobody", {}, "opnai/x", /did you mean openai/],
    ["has a slip in an option", { maxTurn: 3 }, undefined, /did you mean `maxTurns`/],
    ["wants a form of reply that there is not", { parser: "yaml" }, undefined, /parser/],
    ["wants a terminal of no size", { rows: 1 }, undefined, /rows/],
  ])("is refused when it %s", (_, options, model, expected) => {
    expect(() => check(options, model)).toThrow(expected);
  });
});

test("terminus makes trials of Harbor tasks, and of each recorded solution where those are its model", () => {
  const task = harborTaskRef(answerTask, provenance);
  const live = { name: "terminus", model: "openai/gpt-5.2" };
  const played = { name: "terminus", model: "replay/reference" };
  expect(terminus.variants(task, live)).toEqual({ references: [undefined] });
  expect(terminus.variants(task, played)).toEqual({ references });
  const scenario = Scenario.parse({
    ...{ schemaVersion: 1, name: "s", kind: "qa", expected_answer: "4" },
    messages: [{ role: "user", content: "2 + 2?" }],
  });
  expect(terminus.variants(scenarioTaskRef(scenario, provenance), live)).toEqual({
    excluded: expect.stringContaining("works at a terminal"),
  });
});

test("terminus says so where it is given no sandbox", async () => {
  await expect(terminus.run(agentContext())).rejects.toMatchObject({ code: "invalid-task" });
});
