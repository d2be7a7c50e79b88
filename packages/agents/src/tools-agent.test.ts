import { parseTrajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import type { Exchange } from "@tracemill/core/ports/model-client.ts";
import { planTask } from "@tracemill/core/run/plan.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { harborTaskRef, scenarioTaskRef } from "@tracemill/core/run/task-ref.ts";
import type { AgentRef, Usage } from "@tracemill/core/run/trial.ts";
import { Scenario } from "@tracemill/core/scenario/scenario.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../test/fakes/clock.ts";
import { execResult, inProcessSandboxes } from "../../../test/fakes/in-process-sandbox.ts";
import { answerTask } from "../../../test/fakes/trial-world.ts";
import {
  type Asked,
  calls,
  completion,
  type Reply,
  scriptedModel,
} from "../../../test/servers/scripted-model.ts";
import { agentRegistry } from "./registry.ts";
import { toolsAgent } from "./tools-agent.ts";

const agent = toolsAgent(() => 1);
const environment = { files: [], env: {}, buildTimeoutSec: 60 };

/** An attempt at a task that is answered by a server, in a sandbox where each command prints itself. */
async function attempt(
  script: (asked: Asked, before: number) => Reply,
  { options = {}, ...extra }: Partial<AgentContext> & { options?: Record<string, unknown> } = {},
) {
  const server = await scriptedModel(script);
  const exchanges: Exchange[] = [];
  const spent: Usage[] = [];
  const sandbox = await inProcessSandboxes({
    exec: (command) => execResult({ stdout: `ran ${command.at(-1)}` }),
  }).create({ environment, limits: {}, network: "none", label: "test" });
  const context: AgentContext = {
    agent: { name: "tools", model: "acme/m", options: { baseUrl: server.baseUrl, ...options } },
    task: { kind: "harbor", harbor: answerTask },
    sandbox,
    signal: new AbortController().signal,
    budget: { spend: (usage) => void spent.push(usage) },
    env: {},
    clock: fakeClock(),
    record: (exchange) => void exchanges.push(exchange),
    ...extra,
  };
  const { asked, baseUrl } = server;
  return {
    context,
    exchanges,
    spent,
    asked,
    baseUrl,
    sandbox,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const scenario = (parts: Record<string, unknown>) =>
  Scenario.parse({ schemaVersion: 1, name: "s", kind: "tool", expected_answer: "4", ...parts });

const pythonTool = { type: "function", function: { name: "execute_python", parameters: { type: "object" } } };

describe("a model with tools", () => {
  test("works on a task until it answers without a call, and every turn is kept", async () => {
    const replies = [
      calls(["bash", { command: "ls" }], ["write_file", { path: "answer.txt", content: "42" }]),
      completion({ content: "Done." }),
    ];
    await using run = await attempt((_, before) => replies[before] ?? completion({ content: "?" }));
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toEqual({ kind: "completed" });
    expect(Buffer.from((await run.sandbox.readFile("/app/answer.txt")) ?? "").toString()).toBe("42");
    const { steps, agent: who } = parseTrajectory(trajectory, "tools");
    expect(who).toMatchObject({ name: "tools", version: "1", model_name: "acme/m" });
    expect(steps.map(({ source }) => source)).toEqual(["system", "user", "agent", "agent"]);
    expect(steps[2]).toMatchObject({
      observation: {
        results: [
          { source_call_id: "call_0", content: "ran ls" },
          { source_call_id: "call_1", content: "wrote 2 bytes to answer.txt" },
        ],
      },
      metrics: { prompt_tokens: 100, completion_tokens: 10 },
    });
    expect(steps[3]?.message).toBe("Done.");
    expect(run.exchanges.map(({ model, replayed }) => [model, replayed])).toEqual([
      ["acme/m", false],
      ["acme/m", false],
    ]);
    expect(run.spent).toEqual(Array(2).fill({ promptTokens: 100, completionTokens: 10, cachedTokens: 0 }));
  });

  test("is told the task, the working directory and its tools", async () => {
    await using run = await attempt(() => completion({ content: "Done." }));
    await agent.run(run.context);
    const body = run.asked[0]?.body;
    expect(body?.model).toBe("acme/m");
    expect(body?.messages).toEqual([
      { role: "system", content: expect.stringContaining("/app") },
      { role: "user", content: "Write 42 to answer.txt\n" },
    ]);
    expect(body?.tools?.map((tool) => tool.function.name)).toEqual(["bash", "write_file", "read_file"]);
  });

  test("can mend calls that nobody understands", async () => {
    const replies = [calls(["bash", "{broken"], ["fly", {}], ["write_file", { path: "/a" }])];
    await using run = await attempt((_, before) => replies[before] ?? completion({ content: "I see." }));
    const { end } = await agent.run(run.context);
    expect(end).toEqual({ kind: "completed" });
    const told = run.asked[1]?.body.messages.slice(3).map(({ content }) => content);
    expect(told).toEqual([
      "error: the arguments of this call are no JSON object",
      "error: there is no tool fly here",
      "error: write_file wants {path: string, content: string}",
    ]);
    // Servers parse the conversation's arguments again, and refuse it when one is no JSON.
    const sent = run.asked[1]?.body.messages[2]?.tool_calls as { function: { arguments: string } }[];
    expect(sent.map((call) => JSON.parse(call.function.arguments))).toEqual([
      { _raw: "{broken" },
      {},
      { path: "/a" },
    ]);
  });

  test("may have so many turns, and what it did until then is verified", async () => {
    await using run = await attempt(() => calls(["bash", { command: "ls" }]), { options: { maxTurns: 3 } });
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toMatchObject({ failure: "turn-limit", reason: expect.stringContaining("3 turns") });
    expect(run.asked).toHaveLength(3);
    expect(trajectory.steps).toHaveLength(5);
  });

  test("has failed when its conversation outgrows it", async () => {
    const tooLong: Reply = {
      status: 400,
      body: { error: { message: "maximum context length is 10 tokens" } },
    };
    await using run = await attempt((_, before) =>
      before < 2 ? calls(["bash", { command: "ls" }]) : tooLong,
    );
    const { end, trajectory } = await agent.run(run.context);
    expect(end).toMatchObject({ kind: "agent-failed", failure: "context-limit" });
    expect(trajectory.steps).toHaveLength(4);
  });

  test("has not failed where the spec's own limit lets no request through", async () => {
    const tooLong: Reply = {
      status: 400,
      body: { error: { message: "maximum context length is 10 tokens" } },
    };
    await using run = await attempt(() => tooLong, { options: { maxTokens: 9_999 } });
    await expect(agent.run(run.context)).rejects.toMatchObject({ code: "model-failed" });
  });

  test("stops with its budget, and the turn that broke it is kept", async () => {
    const spend = () => {
      throw new TracemillError("budget-exceeded", "110 tokens used");
    };
    await using run = await attempt(() => calls(["bash", { command: "ls" }]), { budget: { spend } });
    await expect(agent.run(run.context)).rejects.toMatchObject({ code: "budget-exceeded" });
    expect(run.exchanges).toHaveLength(1);
  });

  test("stops when its time is over, with what it has", async () => {
    const stopping = new AbortController();
    await using run = await attempt(
      (_, before) => {
        if (before === 0) return calls(["bash", { command: "ls" }]);
        return () => stopping.abort();
      },
      { signal: stopping.signal },
    );
    const { trajectory } = await agent.run(run.context);
    expect(trajectory.steps).toHaveLength(3);
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
    await using run = await attempt(() => completion({ content: "4" }), {
      task: { kind: "scenario", scenario: scenario({ messages, tools: [pythonTool] }) },
      options: { system: "unused" },
    });
    const { trajectory } = await agent.run(run.context);
    expect(run.asked[0]?.body.messages).toEqual(messages);
    expect(run.asked[0]?.body.tools).toEqual([pythonTool]);
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
    await using run = await attempt(() => completion({ content: "4" }), { task: without, options });
    const { sandbox: _, ...context } = run.context;
    expect((await agent.run(context)).end).toEqual({ kind: "completed" });
    expect(run.asked[0]?.body.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(run.asked[0]?.body).not.toHaveProperty("tools");
    expect(agent.needsSandbox({ kind: "scenario", tools: [] })).toBe(false);
    expect(agent.needsSandbox({ kind: "scenario", tools: ["execute_python"] })).toBe(true);
    expect(agent.needsSandbox({ kind: "harbor", tools: [] })).toBe(true);
  });
});

describe("where the model is", () => {
  test("is the server of the run's own, or else the address in the options", async () => {
    await using other = await scriptedModel(() => completion({ content: "other" }));
    const served = { modelEndpoint: { baseUrl: other.baseUrl, model: "served-name" } };
    await using run = await attempt(() => completion({ content: "mine" }), served);
    const text = async (options: Record<string, unknown>) => {
      const context = { ...run.context, agent: { name: "tools", model: "acme/m", options } };
      return (await agent.run(context)).trajectory.steps.at(-1)?.message;
    };
    expect(await text({})).toBe("other");
    expect(other.asked[0]?.body.model).toBe("served-name");
    expect(await text({ baseUrl: run.baseUrl, model: "short" })).toBe("mine");
    expect(run.asked[0]?.body.model).toBe("short");
  });

  test("has to be known", async () => {
    await using run = await attempt(() => completion({ content: "" }), {
      agent: { name: "tools", model: "acme/m" },
    });
    await expect(agent.run(run.context)).rejects.toMatchObject({
      code: "model-failed",
      message: expect.stringMatching(/acme\/m.*options\.baseUrl/),
    });
  });
});

describe("a spec with the agent", () => {
  const check = (ref: Partial<AgentRef>, models = {}) => {
    const full = { name: "tools", ...ref };
    const spec = parseRunSpec({ name: "t", tasks: ["."], agents: [full], models }, "spec");
    agentRegistry()("tools").check?.(full, spec);
  };
  const baseUrl = "http://127.0.0.1:8000/v1";

  test.each<[string, Partial<AgentRef>, RegExp]>([
    ["names no model", { options: { baseUrl } }, /wants a `model`/],
    ["has nobody to serve the model", { model: "acme/m" }, /acme\/m.*options\.baseUrl/],
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

  test("is good with an address, or with a model that the run serves", () => {
    check({ model: "m", options: { baseUrl, maxTurns: 5, requestTimeout: "90s", extraBody: { seed: 1 } } });
    check({ model: "acme/m" }, { "acme/m": {} });
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
      [...planTask(task, "run_1", spec, agentRegistry())].map((entry) =>
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
