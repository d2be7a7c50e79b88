import { parseTrajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { contextLimit } from "@tracemill/core/models/context-limit.ts";
import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import type { ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type { ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { planTask } from "@tracemill/core/run/plan.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { harborTaskRef, scenarioTaskRef } from "@tracemill/core/run/task-ref.ts";
import type { AgentRef } from "@tracemill/core/run/trial.ts";
import { Scenario } from "@tracemill/core/scenario/scenario.ts";
import { describe, expect, test } from "vitest";
import { agentContext } from "../../../test/fakes/agent-context.ts";
import { execResult, inProcessSandboxes } from "../../../test/fakes/in-process-sandbox.ts";
import { calling, modelsOf, type Scripted, scriptedClient } from "../../../test/fakes/scripted-client.ts";
import { answerTask } from "../../../test/fakes/trial-world.ts";
import { ReplayModel, recordingOf } from "./replay/model.ts";
import { toolsAgent as agent } from "./tools-agent.ts";

const environment = { files: [], env: {}, buildTimeoutSec: 60 };

/** An attempt at a task, in a sandbox where each command prints itself. */
async function attempt(
  script: (request: ModelRequest, before: number) => Scripted,
  { options = {}, ...extra }: Partial<AgentContext> & { options?: Record<string, unknown> } = {},
) {
  const client = scriptedClient(script);
  const opened: [string, ModelSettings][] = [];
  const sandbox = await inProcessSandboxes({
    exec: (command) => execResult({ stdout: `ran ${command.at(-1)}` }),
  }).create({ environment, limits: {}, network: "none", label: "test" });
  const context = agentContext({
    agent: { name: "tools", model: "acme/m", options },
    sandbox,
    models: modelsOf(client, opened),
    ...extra,
  });
  return { context, asked: client.asked, opened, sandbox };
}

const tooLong = () =>
  new TracemillError("model-failed", "maximum context length is 10 tokens", {
    context: { reason: contextLimit },
  });

const scenario = (parts: Record<string, unknown>) =>
  Scenario.parse({ schemaVersion: 1, name: "s", kind: "tool", expected_answer: "4", ...parts });

const pythonTool = { type: "function", function: { name: "execute_python", parameters: { type: "object" } } };

describe("a model with tools", () => {
  test("works on a task until it answers without a call, and every turn is kept", async () => {
    const tokens = { prompt: [1, 2], completion: [3], logprobs: [-0.5] };
    const replies: Scripted[] = [
      {
        ...calling(["bash", { command: "ls" }], ["write_file", { path: "answer.txt", content: "42" }]),
        tokens,
        carry: { signature: "s" },
      },
      "Done.",
    ];
    const run = await attempt((_, before) => replies[before] ?? "?");
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toEqual({ kind: "completed" });
    expect(Buffer.from((await run.sandbox.readFile("/app/answer.txt")) ?? "").toString()).toBe("42");
    const { steps, agent: who } = parseTrajectory(trajectory, "tools");
    expect(who).toMatchObject({ name: "tools", version: "2", model_name: "acme/m" });
    expect(who.tool_definitions).toEqual(run.asked[0]?.tools);
    expect(steps.map(({ source }) => source)).toEqual(["system", "user", "agent", "agent"]);
    expect(steps[2]).toMatchObject({
      observation: {
        results: [
          { source_call_id: "call_0", content: "ran ls" },
          { source_call_id: "call_1", content: "wrote 2 bytes to answer.txt" },
        ],
      },
      metrics: {
        prompt_tokens: 100,
        completion_tokens: 10,
        prompt_token_ids: [1, 2],
        completion_token_ids: [3],
        logprobs: [-0.5],
      },
    });
    expect(steps[3]?.message).toBe("Done.");
    // What the provider gave with a turn goes back to it.
    expect(run.asked[1]?.messages[2]).toMatchObject({ role: "assistant", carry: { signature: "s" } });
  });

  test("is told the task, the working directory and its tools", async () => {
    const run = await attempt(() => "Done.");
    await agent.run(run.context);
    expect(run.asked[0]?.messages).toEqual([
      { role: "system", content: expect.stringContaining("/app") },
      { role: "user", content: "Write 42 to answer.txt\n" },
    ]);
    const named = run.asked[0]?.tools as { function: { name: string } }[];
    expect(named.map((tool) => tool.function.name)).toEqual(["bash", "read_file", "write_file", "edit_file"]);
  });

  test("can mend calls that nobody understands", async () => {
    const broken = { arguments_not_object: true };
    const call = { id: "c", name: "bash", arguments: { _raw: "{broken" }, extra: broken };
    const first = calling(["fly", {}], ["write_file", { path: "/a" }]);
    const run = await attempt((_, before) =>
      before === 0 ? { ...first, toolCalls: [call, ...first.toolCalls] } : "I see.",
    );
    const { end } = await agent.run(run.context);
    expect(end).toEqual({ kind: "completed" });
    expect(run.asked[1]?.messages.slice(3).map(({ content }) => content)).toEqual([
      "error: the arguments of this call are no JSON object",
      "error: there is no tool fly here",
      "error: write_file wants {path: string, content: string}",
    ]);
  });

  test("may have so many turns, and what it did until then is verified", async () => {
    const run = await attempt(() => calling(["bash", { command: "ls" }]), { options: { maxTurns: 3 } });
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toMatchObject({ failure: "turn-limit", reason: expect.stringContaining("3 turns") });
    expect(run.asked).toHaveLength(3);
    expect(trajectory.steps).toHaveLength(5);
  });

  test.each([
    ["context-limit", tooLong],
    ["turn-limit", () => new TracemillError("turn-limit", "2 turns, the most that `limits.turns` allows")],
  ])("has failed when its model says %s, with what it did", async (failure, error) => {
    const run = await attempt((_, before) => (before < 2 ? calling(["bash", { command: "ls" }]) : error()));
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toMatchObject({ kind: "agent-failed", failure });
    expect(trajectory.steps).toHaveLength(4);
  });

  test("has not failed where the spec's own limit lets no request through", async () => {
    const run = await attempt(tooLong, { options: { maxTokens: 9_999 } });
    await expect(agent.run(run.context)).rejects.toMatchObject({ code: "model-failed" });
  });

  test("is told when its answer was cut, and has failed when that goes on", async () => {
    const cut = (text: string) => ({ text, toolCalls: [], finish: "length" as const });
    const run = await attempt((_, before) =>
      before === 1 ? calling(["bash", { command: "ls" }]) : cut("long"),
    );
    const { end } = await agent.run(run.context);
    expect(end).toMatchObject({ failure: "output-limit" });
    // One before the call; after it three more chances.
    expect(run.asked).toHaveLength(6);
    expect(run.asked[1]?.messages.at(-1)).toMatchObject({
      role: "user",
      content: expect.stringContaining("cut at its output limit"),
    });
  });

  test("leaves what it did so far where its budget ends it", async () => {
    let soFar = () => 0;
    const run = await attempt(
      (_, before) =>
        before < 2
          ? calling(["bash", { command: "ls" }])
          : new TracemillError("budget-exceeded", "110 tokens"),
      {
        keepTrajectory: (build) => {
          soFar = () => build().steps.length;
        },
      },
    );
    await expect(agent.run(run.context)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(soFar()).toBe(4);
  });

  test("stops when its time is over, with what it has", async () => {
    const stopping = new AbortController();
    const run = await attempt(
      (_, before) => {
        if (before === 0) return calling(["bash", { command: "ls" }]);
        stopping.abort();
        return new TracemillError("cancelled", "stopped");
      },
      { signal: stopping.signal },
    );
    const { trajectory } = await agent.run(run.context);
    expect(trajectory.steps).toHaveLength(3);
  });

  test("is played from a recording, whose user speaks in between, and what differs is reported", async () => {
    const recorded = parseTrajectory(
      {
        agent: { name: "a", version: "1" },
        steps: [
          { step_id: 1, source: "user", message: "Write 42" },
          {
            step_id: 2,
            source: "agent",
            message: "",
            tool_calls: [{ tool_call_id: "c1", function_name: "terminal", arguments: { command: "ls" } }],
            observation: { results: [{ source_call_id: "c1", content: "something else" }] },
          },
          { step_id: 3, source: "agent", message: "Shall I?" },
          { step_id: 4, source: "user", message: "Do." },
          { step_id: 5, source: "agent", message: "Done." },
        ],
      },
      "recorded",
    );
    const run = await attempt(() => "?");
    const { trajectory, replay } = await agent.run({
      ...run.context,
      agent: { name: "tools", model: "replay/reference" },
      reference: recorded,
      solutionId: "s1",
      models: modelsOf(() => new ReplayModel("replay/reference", recordingOf(recorded))),
    });
    expect(trajectory.steps.slice(2).map(({ source, message }) => [source, message])).toEqual([
      ["agent", ""],
      ["agent", "Shall I?"],
      ["user", "Do."],
      ["agent", "Done."],
    ]);
    expect(replay).toMatchObject({ solutionId: "s1", calls: 1, same: 0, differences: [{ live: "ran ls" }] });
  });
});

describe("a scenario", () => {
  test("is asked with its own messages and tools; what it quotes is not the agent's work", async () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "1 + 1?" },
      { role: "assistant", content: "2" },
      { role: "user", content: "2 + 2?" },
    ];
    const run = await attempt(() => "4", {
      task: { kind: "scenario", scenario: scenario({ messages, tools: [pythonTool] }) },
      options: { system: "unused" },
    });
    const { trajectory } = await agent.run(run.context);
    expect(run.asked[0]?.messages).toEqual(messages);
    expect(run.asked[0]?.tools).toEqual([pythonTool]);
    const { steps } = parseTrajectory(trajectory, "tools");
    expect(steps.map(({ source, is_copied_context: copied }) => [source, copied ?? false])).toEqual([
      ["system", false],
      ["user", false],
      ["agent", true],
      ["user", false],
      ["agent", false],
    ]);
  });

  test("without tools needs no sandbox, and gets the system prompt of the spec", async () => {
    const task = scenario({ messages: [{ role: "user", content: "2 + 2?" }] });
    const options = { system: "Answer with a number." };
    const without = { kind: "scenario", scenario: task } as const;
    const run = await attempt(() => "4", { task: without, options });
    const { sandbox: _, ...context } = run.context;
    expect((await agent.run(context)).end).toEqual({ kind: "completed" });
    expect(run.asked[0]?.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(run.asked[0]?.tools).toEqual([]);
    expect(agent.needsSandbox({ kind: "scenario", tools: [] })).toBe(false);
    expect(agent.needsSandbox({ kind: "scenario", tools: ["execute_python"] })).toBe(true);
    expect(agent.needsSandbox({ kind: "harbor", tools: [] })).toBe(true);
  });
});

describe("where the model is", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["what the agent's model says", {}, "acme/m"],
    [
      "the address in the options, by the name that its server knows",
      { baseUrl: "http://127.0.0.1:8000/v1", model: "org/short" },
      "http://127.0.0.1:8000/v1#org%2Fshort",
    ],
  ])("is %s", async (_, options, reference) => {
    const run = await attempt(() => "Done.", {
      options: { ...options, maxTokens: 5, extraBody: { seed: 7 } },
    });
    await agent.run(run.context);
    expect(run.opened).toEqual([[reference, { label: "acme/m", maxTokens: 5, extraBody: { seed: 7 } }]]);
  });
});

describe("a spec with the agent", () => {
  const check = (ref: Partial<AgentRef>, rest: Record<string, unknown> = {}) => {
    const full = { name: "tools", ...ref };
    const spec = parseRunSpec({ name: "t", tasks: ["."], agents: [full], ...rest }, "spec");
    agent.check?.(full, spec);
  };
  const baseUrl = "http://127.0.0.1:8000/v1";

  test.each<[string, Partial<AgentRef>, RegExp]>([
    ["names no model", { options: { baseUrl } }, /wants a `model`, or `roles.policy`/],
    ["has nobody to serve the model", { model: "acme/m" }, /acme\/m.*no provider is called "acme"/],
    [
      "has an option that is none",
      { model: "m", options: { baseUrl, maxturns: 3 } },
      /did you mean `maxTurns`/,
    ],
    ["has no turns", { model: "m", options: { baseUrl, maxTurns: 0 } }, /maxTurns/],
    ["has an address that is none", { model: "m", options: { baseUrl: "localhost" } }, /baseUrl/],
    [
      "has a password in its address",
      { model: "m", options: { baseUrl: "http://a:b@x/v1" } },
      /`baseUrl`: holds a user/,
    ],
    [
      "meddles with the conversation",
      { model: "m", options: { baseUrl, extraBody: { n: 2 } } },
      /extraBody.*may not hold/,
    ],
  ])("is refused when it %s", (_, ref, expected) => {
    expect(() => check(ref)).toThrow(expected);
  });

  test("is good with an address, a provider's model, one that the run serves, or the policy's", () => {
    check({ model: "m", options: { baseUrl, maxTurns: 5, requestTimeout: "90s", extraBody: { seed: 1 } } });
    check({ model: "openai/gpt-5.2", options: { reasoningEffort: "low", commandTimeout: "20m" } });
    check({ model: "own/m" }, { providers: { own: { url: baseUrl } } });
    check({ model: "acme/m" }, { models: { "acme/m": {} } });
    check({}, { roles: { policy: "anthropic/claude-opus-4-5" } });
  });

  test("makes a trial of each recorded solution when those are its model", () => {
    const origin = { kind: "folder", path: "t" } as const;
    const references = ["s1", "s2"].map((solutionId) => ({
      solutionId,
      trajectoryKey: `references/${solutionId}.json`,
    }));
    const task = harborTaskRef(answerTask, { hash: "a".repeat(64), origin, references });
    const ref = { name: "tools", model: "replay/reference" };
    expect(agent.variants(task, ref)).toEqual({ references });
    expect(agent.variants({ ...task, references: [] }, ref)).toEqual({
      excluded: "the source has no recorded solution of it",
    });
  });

  test("makes trials of Harbor tasks, and of scenarios that something decides and whose tools are live", () => {
    const spec = parseRunSpec(
      { name: "t", tasks: ["."], agents: [{ name: "tools", model: "m", options: { baseUrl } }], attempts: 2 },
      "spec",
    );
    const origin = { kind: "folder", path: "t" } as const;
    const provenance = { hash: "a".repeat(64), origin, references: [] };
    const messages = [{ role: "user", content: "2 + 2?" }];
    const planned = (task: Parameters<typeof planTask>[0]) =>
      [...planTask(task, "run_1", spec, () => agent)].map((entry) =>
        "trials" in entry ? [entry.trials.length, entry.sandboxed] : entry.excluded.reason,
      );
    const ofScenario = (parts: Record<string, unknown>) =>
      planned(
        scenarioTaskRef(
          Scenario.parse({ schemaVersion: 1, name: "s", kind: "qa", messages, ...parts }),
          provenance,
        ),
      );
    expect(planned(harborTaskRef(answerTask, provenance))).toEqual([[2, { trace: true, evaluate: true }]]);
    expect(ofScenario({ expected_answer: "4", tools: [pythonTool] })).toEqual([
      [2, { trace: true, evaluate: false }],
    ]);
    expect(ofScenario({ expected_answer: "4" })).toEqual([[2, { trace: false, evaluate: false }]]);
    expect(ofScenario({})).toEqual([expect.stringContaining("nothing decides it")]);
    const mail = { type: "function", function: { name: "send_mail" } };
    expect(ofScenario({ expected_answer: "4", tools: [mail] })).toEqual([
      expect.stringContaining("send_mail"),
    ]);
  });
});
