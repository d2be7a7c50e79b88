import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Agent, AgentRegistry, TrialVariants } from "../ports/agent.ts";
import { planTask, ShardFiller } from "./plan.ts";
import { parseRunSpec } from "./spec.ts";
import type { ReferenceSolution, TaskRef, Trial } from "./trial.ts";

const task: TaskRef = {
  hash: "a".repeat(64),
  kind: "harbor",
  name: "t",
  group: "t",
  environment: "env_1",
  origin: { kind: "folder", path: "t" },
  hasSolution: true,
  decidedBy: "tests",
  tools: [],
  needs: [],
  references: [],
};

function agentsWith(variants: TrialVariants): AgentRegistry {
  const agent: Agent = {
    name: "a",
    version: "1",
    decidedBy: "task",
    needsSandbox: () => true,
    variants: () => variants,
    run: () => Promise.reject(new Error("not run")),
  };
  return () => agent;
}

const spec = (attempts: number) =>
  parseRunSpec({ name: "n", tasks: ["."], agents: [{ name: "a" }], attempts }, "s");
const reference = (solutionId: string): ReferenceSolution => ({
  solutionId,
  trajectoryKey: `references/${solutionId}.json`,
});

function trialsOf(entries: ReturnType<typeof planTask>): Trial[] {
  return [...entries].flatMap((entry) => ("trials" in entry ? entry.trials : []));
}

describe("a plan", () => {
  test("makes a trial of each task, agent, recorded solution and sample", () => {
    const agents = agentsWith({ references: [reference("s1"), reference("s2")] });
    const trials = trialsOf(planTask(task, "run_1", spec(3), agents));
    expect(trials.map(({ reference: played, sample }) => [played?.solutionId, sample])).toEqual([
      ["s1", 0],
      ["s1", 1],
      ["s1", 2],
      ["s2", 0],
      ["s2", 1],
      ["s2", 2],
    ]);
    expect(new Set(trials.map(({ trialId }) => trialId)).size).toBe(6);
  });

  test("tells solutions of one id apart by what they did, and takes a repeated one once", () => {
    const twin = { ...reference("s1"), trajectoryKey: "references/other.json" };
    const agents = agentsWith({ references: [reference("s1"), twin, reference("s1")] });
    const trials = trialsOf(planTask(task, "run_1", spec(1), agents));
    expect(trials.map(({ reference: played }) => played?.trajectoryKey)).toEqual([
      "references/s1.json",
      "references/other.json",
    ]);
    expect(new Set(trials.map(({ trialId }) => trialId)).size).toBe(2);
  });

  test("gives the same trials the same ids when it is made again", () => {
    const agents = agentsWith({ references: [undefined] });
    const ids = () => trialsOf(planTask(task, "run_1", spec(2), agents)).map(({ trialId }) => trialId);
    expect(ids()).toEqual(ids());
  });

  test.each([
    [["image"], "prebuilt image"],
    [["gpu"], "GPU"],
    [["multi-step"], "several steps"],
  ] as const)("leaves out a task that wants %s, and says why", (needs, reason) => {
    const [entry] = planTask(
      { ...task, needs: [...needs] },
      "run_1",
      spec(1),
      agentsWith({ references: [undefined] }),
    );
    expect(entry).toMatchObject({ excluded: { task: "t", reason: expect.stringContaining(reason) } });
  });

  test.each([
    ["namespace", "image", false],
    ["job", "image", true],
    ["namespace", "no-network", true],
    ["job", "no-network", false],
    ["job", "verifier-environment", false],
  ] as const)("with `sandbox: %s` a task that wants %s: %s", (sandbox, need, runs) => {
    const [entry] = planTask(
      { ...task, needs: [need] },
      "run_1",
      { ...spec(1), sandbox },
      agentsWith({ references: [undefined] }),
    );
    expect(entry !== undefined && "trials" in entry).toBe(runs);
  });

  test("leaves out what the agent cannot do, with the agent's reason", () => {
    const [entry] = planTask(task, "run_1", spec(1), agentsWith({ excluded: "no solution" }));
    expect(entry).toMatchObject({ excluded: { reason: "no solution" } });
  });
});

describe("shards", () => {
  const anyTrial = fc.record({
    environment: fc.constantFrom("e1", "e2", "e3"),
    model: fc.constantFrom("m1", undefined),
    trace: fc.boolean(),
    evaluate: fc.boolean(),
  });

  test("hold every trial once, one environment, model and kind of compute each, none too large", () => {
    fc.assert(
      fc.property(fc.array(anyTrial, { maxLength: 400 }), fc.integer({ min: 1, max: 64 }), (kinds, size) => {
        const filler = new ShardFiller(size);
        const trials = kinds.map(({ environment, model }, index): Trial => {
          const { references: _, ...rest } = { ...task, environment };
          const agent = model === undefined ? { name: "a" } : { name: "a", model };
          return { trialId: `trl_${index}`, task: rest, agent, sample: 0 };
        });
        const sandboxedOf = (index: number): { trace: boolean; evaluate: boolean } => ({
          trace: kinds[index]?.trace === true,
          evaluate: kinds[index]?.evaluate === true,
        });
        const filled = [
          ...trials.flatMap((trial, index) => filler.add(trial, sandboxedOf(index))),
          ...filler.finish(),
        ];
        expect(filled.flatMap((shard) => shard.trials.map(({ trialId }) => trialId)).toSorted()).toEqual(
          trials.map(({ trialId }) => trialId).toSorted(),
        );
        for (const { shard, trials: inside } of filled) {
          expect(inside.length).toBeLessThanOrEqual(size);
          expect(shard.trials).toBe(inside.length);
          expect(inside.every((trial) => trial.task.environment === shard.environment)).toBe(true);
          expect(inside.every((trial) => trial.agent.model === shard.model)).toBe(true);
          for (const { trialId } of inside)
            expect(sandboxedOf(Number(trialId.slice(4)))).toEqual(shard.sandboxed);
        }
      }),
    );
  });
});
