import { parseTrajectory, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import type { ModelAnswer } from "@tracemill/core/ports/model-client.ts";
import type { ExecOptions } from "@tracemill/core/ports/sandbox.ts";
import type { ReferenceSolution, TaskRef } from "@tracemill/core/run/trial.ts";
import { describe, expect, test } from "vitest";
import { agentContext } from "../../../test/fakes/agent-context.ts";
import { execResult, inProcessSandboxes } from "../../../test/fakes/in-process-sandbox.ts";
import { modelsOf, type ScriptedClient } from "../../../test/fakes/scripted-client.ts";
import { answerTask, textOf } from "../../../test/fakes/trial-world.ts";
import { nop } from "./nop.ts";
import { oracle } from "./oracle.ts";
import { recorded } from "./recorded.ts";
import { agentRegistry } from "./registry.ts";
import { replay } from "./replay/agent.ts";
import { ReplayModel, recordingOf } from "./replay/model.ts";
import { runToolLoop } from "./tool-loop.ts";
import { TrajectoryBuilder } from "./trajectory-builder.ts";

const environment = { files: [], env: {}, buildTimeoutSec: 60 };

/** A sandbox in which `bash -c` answers as the caller says. */
async function contextWith(
  answer: (command: string, options: ExecOptions) => string | number,
  extra: Partial<AgentContext> = {},
) {
  const asked: ScriptedClient["asked"] = [];
  const sandbox = await inProcessSandboxes({
    exec: (command, options, files) => {
      const reply = answer(command.at(-1) ?? "", options);
      if (textOf(files, "/solution/solve.sh") !== undefined)
        expect(command).toEqual(["/bin/bash", "/solution/solve.sh"]);
      return typeof reply === "number"
        ? execResult({ exitCode: reply, stderr: "no" })
        : execResult({ stdout: reply });
    },
  }).create({ environment, limits: {}, network: "none", label: "test" });
  const played = modelsOf((_, { reference, label = "" }) => {
    if (reference === undefined) throw new Error("nothing to play");
    const model = new ReplayModel(label, recordingOf(reference));
    const complete: ReplayModel["complete"] = (request) => {
      asked.push(request as ScriptedClient["asked"][number]);
      return model.complete(request);
    };
    return { model: label, replayed: true, complete };
  });
  return { context: agentContext({ sandbox, models: played, ...extra }), asked };
}

describe("the oracle", () => {
  test("runs the task's solution and records it as one call", async () => {
    const { context } = await contextWith(() => "solved\n");
    const { end, trajectory } = await oracle.run(context);
    expect(end).toEqual({ kind: "completed" });
    expect(parseTrajectory(trajectory, "oracle").steps[1]).toMatchObject({
      tool_calls: [{ function_name: "bash", arguments: { command: "#!/bin/bash\necho 42 > answer.txt\n" } }],
      observation: { results: [{ content: "solved\n" }] },
    });
  });

  test("says so when the solution fails", async () => {
    const { context } = await contextWith(() => 3);
    expect((await oracle.run(context)).end).toMatchObject({
      failure: "error",
      reason: "solution/solve.sh exits with 3",
    });
  });

  test("gives the solution the task's variables, filled from the spec", async () => {
    const files = answerTask.files.map((file) =>
      file.path === "task.toml"
        ? { ...file, content: Buffer.from('schema_version = "1.4"\n[solution.env]\nKEY = "${SECRET}"\n') }
        : file,
    );
    let seen: ExecOptions["env"];
    const { context } = await contextWith(
      (_command, options) => {
        seen = options.env;
        return "";
      },
      { task: { kind: "harbor", harbor: readHarborTask(files, "t") }, env: { SECRET: "s" } },
    );
    await oracle.run(context);
    expect(seen).toEqual({ KEY: "s" });
  });
});

test("nop leaves a valid trajectory and nothing else", async () => {
  const { context } = await contextWith(() => "");
  const { trajectory } = await nop.run(context);
  expect(parseTrajectory(trajectory, "nop").steps).toHaveLength(2);
});

const recording: Trajectory = {
  schema_version: "ATIF-v1.7",
  agent: { name: "prod-agent", version: "3", model_name: "m-1" },
  steps: [
    { step_id: 1, source: "system", message: "Be brief." },
    { step_id: 2, source: "user", message: "Write 42" },
    call(3, "c1", "bash", { command: "date" }, "Mon"),
    call(4, "c2", "bash", { command: "echo 42 > answer.txt" }, "ok\n"),
    { step_id: 5, source: "agent", message: "Shall I go on?" },
    { step_id: 6, source: "user", message: "Yes" },
    call(7, "c3", "send_mail", { to: "x" }, "sent"),
    { step_id: 8, source: "agent", message: "Done." },
  ],
};

function call(stepId: number, id: string, name: string, args: Record<string, unknown>, observed: string) {
  return {
    step_id: stepId,
    source: "agent" as const,
    message: "",
    metrics: { prompt_tokens: 10, completion_tokens: 2, cost_usd: 0.01 },
    tool_calls: [{ tool_call_id: id, function_name: name, arguments: args }],
    observation: { results: [{ source_call_id: id, content: observed }] },
  };
}

describe("a replay", () => {
  const answers = (command: string) => (command === "date" ? "Tue\n" : "ok");

  test("plays the recorded answers against live tools, and keeps what those said this time", async () => {
    const { context, asked } = await contextWith(answers, { reference: recording, solutionId: "s1" });
    const { trajectory } = await replay.run(context);
    const texts = parseTrajectory(trajectory, "replay").steps.map(({ observation, message }) =>
      observation === undefined ? message : observation.results[0]?.content,
    );
    expect(texts).toEqual([
      "Be brief.",
      "Write 42",
      "Tue\n",
      "ok",
      "Shall I go on?",
      "Yes",
      "error: there is no tool send_mail here",
      "Done.",
    ]);
    expect(asked).toHaveLength(5);
    expect(asked[1]?.messages.at(-1)).toMatchObject({
      role: "tool",
      content: "Tue\n",
      tool_call_id: "c1",
    });
  });

  test("reports where live observations differ from the recorded ones", async () => {
    const { context } = await contextWith(answers, { reference: recording, solutionId: "s1" });
    expect((await replay.run(context)).replay).toEqual({
      solutionId: "s1",
      calls: 3,
      same: 1,
      unavailable: 1,
      differences: [
        { stepId: 3, toolCallId: "c1", tool: "bash", recorded: "Mon", live: "Tue\n" },
        expect.objectContaining({ stepId: 7, tool: "send_mail" }),
      ],
    });
  });

  test("stops where it is when it is told to", async () => {
    const stopping = new AbortController();
    const { context } = await contextWith(
      () => {
        stopping.abort();
        return "";
      },
      { reference: recording, signal: stopping.signal },
    );
    expect((await replay.run(context)).trajectory.steps).toHaveLength(3);
  });

  test("keeps the recorded figures in its steps", async () => {
    const { context } = await contextWith(answers, { reference: recording });
    const { usage, trajectory } = await replay.run(context);
    expect(usage).toBeUndefined();
    expect(trajectory.steps[2]?.metrics).toMatchObject({ prompt_tokens: 10, cost_usd: 0.01 });
  });

  test("of a recording without a turn of the agent leaves the task as it was", async () => {
    const { agent, schema_version, steps } = recording;
    const { context } = await contextWith(answers, {
      reference: { agent, schema_version, steps: steps.slice(0, 2) },
    });
    const { end, replay: report } = await replay.run(context);
    expect(end).toEqual({ kind: "completed" });
    expect(report?.calls).toBe(0);
  });
});

test("a model's call that is cut off by the clock leaves the turns before it", async () => {
  const stopping = new AbortController();
  const { context } = await contextWith(() => "", { signal: stopping.signal });
  const trajectory = new TrajectoryBuilder({ name: "live", version: "1" }, context.clock);
  trajectory.add({ source: "user", message: "Go" });
  let asked = 0;
  const complete = async (): Promise<ModelAnswer> => {
    asked += 1;
    if (asked === 1) return { text: "first", toolCalls: [], finish: "more" };
    stopping.abort();
    throw new TracemillError("cancelled", "the request was aborted");
  };
  const end = await runToolLoop(
    {
      model: { model: "m", complete },
      tools: [],
      callTool: async () => ({ output: "", available: true }),
      trajectory,
      messages: [],
      nextUserMessages: () => [],
    },
    context,
  );
  expect(end).toEqual({ kind: "completed" });
  expect(trajectory.steps.map(({ message }) => message)).toEqual(["Go", "first"]);
});

describe("which trials an agent makes", () => {
  const reference = (claim?: ReferenceSolution["claim"]): ReferenceSolution => ({
    solutionId: "s",
    trajectoryKey: "references/s.json",
    ...(claim === undefined ? {} : { claim }),
  });
  const task: TaskRef = {
    hash: "a".repeat(64),
    kind: "scenario",
    name: "t",
    group: "t",
    environment: "bare",
    origin: { kind: "folder", path: "t" },
    hasSolution: false,
    decidedBy: "answer",
    tools: ["execute_python"],
    needs: [],
    references: [reference({ status: "passed" }), reference({ status: "pending" })],
  };

  test("the oracle wants a solution", () => {
    expect(oracle.variants(task, { name: "oracle" })).toEqual({
      excluded: "the task has no solution/solve.sh",
    });
  });

  test("a replay wants something to play, something that decides, and live tools", () => {
    const variants = (parts: Partial<TaskRef>) => replay.variants({ ...task, ...parts }, { name: "replay" });
    expect(variants({})).toEqual({ references: task.references });
    expect(variants({ references: [] })).toMatchObject({
      excluded: expect.stringContaining("no recorded solution"),
    });
    expect(variants({ decidedBy: "none" })).toMatchObject({
      excluded: expect.stringContaining("nothing decides"),
    });
    expect(variants({ tools: ["send_mail"] })).toMatchObject({
      excluded: expect.stringContaining("send_mail"),
    });
  });

  test("a recorded solution counts only where the source has evaluated it", () => {
    expect(recorded.variants(task, { name: "recorded" })).toEqual({ references: [task.references[0]] });
  });

  test("a slip in an agent's name gets a suggestion", () => {
    expect(() => agentRegistry()("orcale")).toThrow("did you mean `oracle`?");
  });
});
