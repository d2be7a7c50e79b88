import { describe, expect, test } from "vitest";
import {
  answerTask,
  type Behaviour,
  minimalTrajectory,
  trialWorld,
  type Verdict,
  writesAnswer,
} from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import type { Exchange } from "../ports/model-client.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { SandboxFile } from "../ports/sandbox.ts";
import { Scenario } from "../scenario/scenario.ts";
import { readJson } from "../stored-json.ts";
import { collect, unzstdStream } from "../streams.ts";
import { evaluateTrial } from "./evaluate.ts";
import { traceTrial } from "./trace.ts";

/** Of the form of a GitHub token; in parts, so that no scanner of this repository takes it for one. */
const token = ["ghp", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"].join("_");

const at = "2026-01-01T00:00:00.000Z";

const exchange: Exchange = {
  startedAt: at,
  endedAt: at,
  model: "acme/m",
  replayed: false,
  request: { messages: [{ role: "user", content: `use ${token}` }], tools: [] },
  answer: { text: token, toolCalls: [], finish: "stop" },
};

const spoken = {
  ...minimalTrajectory,
  steps: [{ step_id: 1, source: "user" as const, message: `use ${token}` }],
};

async function everythingIn(objects: ObjectStore): Promise<string> {
  const texts: string[] = [];
  for await (const { key } of objects.list("")) {
    const body = await objects.get(key);
    if (body === undefined) continue;
    const bytes = await collect(key.endsWith(".zst") ? unzstdStream(body) : body);
    texts.push(bytes.toString("latin1"));
  }
  return texts.join("\n");
}

async function ended(world: Awaited<ReturnType<typeof trialWorld>>) {
  await traceTrial(world.trial, world.deps);
  await evaluateTrial(world.trial, world.deps);
  return world.result(world.trial.trialId, 1);
}

describe("secrets that an attempt comes upon", () => {
  test("are in nothing that is kept, and counted by kind", async () => {
    const world = await trialWorld({
      agent: async (context) => {
        context.record(exchange);
        await writesAnswer("42")(context, 1);
        await context.sandbox?.writeFiles([{ path: "/app/notes.txt", content: `key ${token}` }]);
        return {
          trajectory: spoken,
          end: { kind: "agent-failed", failure: "error", reason: `cannot log in with ${token}` },
        };
      },
    });
    const result = await ended(world);
    expect(result).toMatchObject({
      outcome: { kind: "agent-failed", reason: "cannot log in with [REDACTED:github-token]" },
      redactedFiles: ["/app/notes.txt"],
    });
    expect(result.redactions?.["github-token"]).toBe(5);
    expect(await everythingIn(world.deps.objects)).not.toContain(token);
  });

  test("are taken out of what broke, too", async () => {
    const world = await trialWorld({
      agent: async (context) => {
        context.record(exchange);
        throw new TracemillError("model-failed", `HTTP 401: ${token} is no key`);
      },
      spec: { retry: { max: 0 } },
    });
    const result = await ended(world);
    expect(result.outcome).toEqual({
      kind: "model-failed",
      reason: "HTTP 401: [REDACTED:github-token] is no key",
      permanent: true,
    });
    expect(await everythingIn(world.deps.objects)).not.toContain(token);
  });

  test("leave a workspace that is judged no more when its tests give it nothing", async () => {
    const agent: Behaviour = async (context) => {
      await context.sandbox?.writeFiles([{ path: "/app/answer.txt", content: token }]);
      return {};
    };
    const redacted = await ended(await trialWorld({ agent }));
    expect(redacted.outcome).toMatchObject({
      kind: "verifier-failed",
      reason: expect.stringContaining("secrets were taken out of /app/answer.txt") as unknown,
    });
    const kept = await ended(await trialWorld({ agent, spec: { redact: { workspace: "keep" } } }));
    expect(kept.outcome).toEqual({ kind: "scored", rewards: { reward: 0 } });
    expect(kept.redactedFiles).toBeUndefined();
  });

  test.each([
    ["the expected answer is right all the same", token, 1],
    ["another answer is wrong", token.replace("aB3", "xY9"), 0],
  ])("and of the form of %s", async (_, text, reward) => {
    const scenario = Scenario.parse({
      ...{ schemaVersion: 1, name: "s", kind: "qa", expected_answer: token },
      messages: [{ role: "user", content: "What is it?" }],
    });
    const step = { step_id: 2, source: "agent" as const, message: `Answer: ${text}` };
    const world = await trialWorld({
      agent: async () => ({ trajectory: { ...spoken, steps: [...spoken.steps, step] } }),
    });
    const deps = {
      ...world.deps,
      tasks: { ...world.deps.tasks, load: async () => ({ kind: "scenario" as const, scenario }) },
    };
    await traceTrial(world.trial, deps);
    await evaluateTrial(world.trial, deps);
    const { outcome, decidedBy } = await world.result("trl_1", 1);
    expect([outcome, decidedBy]).toEqual([{ kind: "scored", rewards: { reward } }, "answer"]);
    expect(await everythingIn(world.deps.objects)).not.toContain(token);
  });

  test("leave a workspace that is judged no more when one of several rewards is nothing", async () => {
    const agent: Behaviour = async (context) => {
      await context.sandbox?.writeFiles([{ path: "/app/answer.txt", content: token }]);
      return {};
    };
    const outcomeWith = async (rewards: Record<string, number>) => {
      const verdict: Verdict = (files) => {
        const path = "/logs/verifier/reward.json";
        (files as Map<string, SandboxFile>).set(path, { path, content: JSON.stringify(rewards) });
        return undefined;
      };
      return (await ended(await trialWorld({ agent, verdict }))).outcome.kind;
    };
    expect(await outcomeWith({ right: 0, tidy: 1 })).toBe("verifier-failed");
    expect(await outcomeWith({ right: 0.5, tidy: 1 })).toBe("scored");
    expect(await outcomeWith({ reward: 1, penalty: 0 })).toBe("scored");
  });
});

test("a secret of the task's own files stays in the workspace: its tests may look for it", async () => {
  const own = ["ghp", "bC4eF6gH8iJ0kL2mN4oP6qR8sT0uV2wX4yZ6"].join("_");
  const world = await trialWorld({
    agent: async ({ sandbox }) => {
      await sandbox?.writeFiles([
        { path: "/app/config.txt", content: `token ${own}` },
        { path: "/app/answer.txt", content: token },
      ]);
      return {};
    },
  });
  const config = { path: "environment/config.txt", content: Buffer.from(`token ${own}\n`), mode: 0o644 };
  const harbor = { ...answerTask, files: [...answerTask.files, config] };
  const tasks = { load: async () => ({ kind: "harbor" as const, harbor }) };
  const result = await ended({ ...world, deps: { ...world.deps, tasks } });
  expect(result.redactedFiles).toEqual(["/app/answer.txt"]);
  const kept = await everythingIn(world.deps.objects);
  expect(kept).toContain(own);
  expect(kept).not.toContain(token);
});

describe("an agent that throws", () => {
  test("leaves the trajectory that it had so far", async () => {
    const world = await trialWorld({
      agent: async ({ keepTrajectory }) => {
        keepTrajectory(() => minimalTrajectory);
        throw new TracemillError("budget-exceeded", "no tokens left");
      },
    });
    const result = await ended(world);
    expect(result.outcome.kind).toBe("budget-exceeded");
    const kept = await readJson(world.deps.objects, result.objects.trajectory ?? "");
    expect(kept).toEqual(minimalTrajectory);
  });

  test("leaves none when it had not begun", async () => {
    const world = await trialWorld({
      agent: async ({ keepTrajectory }) => {
        keepTrajectory(() => ({ ...minimalTrajectory, steps: [] }));
        throw new TracemillError("budget-exceeded", "no tokens left");
      },
    });
    expect((await ended(world)).objects).toEqual({});
  });
});
