import { TracemillError } from "@tracemill/core/errors.ts";
import type { HarborTask } from "@tracemill/core/harbor/task.ts";
import type { Agent, AgentContext, AgentResult } from "@tracemill/core/ports/agent.ts";
import type { ExecResult, Sandbox } from "@tracemill/core/ports/sandbox.ts";
import { resolveEnv } from "@tracemill/core/trial/environment.ts";
import { toolDefinitions } from "./tools/registry.ts";
import { instructionOf, TrajectoryBuilder } from "./trajectory-builder.ts";

const version = "1";
const entry = "solution/solve.sh";
const outputBytes = 64 * 1024;

/** Runs the task's own solution: shows that a task can be solved and that its tests can pass. */
export const oracle: Agent = {
  name: "oracle",
  version,
  decidedBy: "task",
  needsSandbox: () => true,
  variants: (task) =>
    task.hasSolution ? { references: [undefined] } : { excluded: `the task has no ${entry}` },
  run: runOracle,
};

async function runOracle(context: AgentContext): Promise<AgentResult> {
  const { task, sandbox, clock } = context;
  if (task.kind !== "harbor" || sandbox === undefined) {
    throw new TracemillError("invalid-task", "the oracle wants a Harbor task and a sandbox");
  }
  const script = textOf(task.harbor, entry);
  const trajectory = new TrajectoryBuilder(
    { name: "oracle", version, tool_definitions: toolDefinitions(["bash"]) },
    clock,
  );
  trajectory.add({ source: "user", message: instructionOf(task) });
  await sandbox.writeFiles(solutionFiles(task.harbor));
  const result = await runSolution(task.harbor, sandbox, context);
  trajectory.add({
    source: "agent",
    message: "",
    llm_call_count: 0,
    tool_calls: [{ tool_call_id: "solve", function_name: "bash", arguments: { command: script } }],
    observation: { results: [{ source_call_id: "solve", content: result.stdout + result.stderr }] },
  });
  if (result.exitCode !== 0 && !context.signal.aborted) {
    const reason = `${entry} exits with ${result.exitCode}`;
    return {
      end: { kind: "agent-failed", failure: "error", reason },
      trajectory: trajectory.build(),
    };
  }
  return { end: { kind: "completed" }, trajectory: trajectory.build() };
}

function runSolution(
  task: HarborTask,
  sandbox: Sandbox,
  { env, signal }: Pick<AgentContext, "env" | "signal">,
): Promise<ExecResult> {
  return sandbox.exec(["/bin/bash", `/${entry}`], {
    env: resolveEnv(task.config.solution.env, env, `${task.name}: [solution.env]`),
    maxOutputBytes: outputBytes,
    signal,
  });
}

function* solutionFiles(task: HarborTask) {
  for (const { path, content, mode } of task.files) {
    if (path.startsWith("solution/"))
      yield { path: `/${path}`, content, mode: path.endsWith(".sh") ? 0o755 : mode };
  }
}

function textOf(task: HarborTask, path: string): string {
  const file = task.files.find((candidate) => candidate.path === path);
  if (file === undefined) throw new TracemillError("invalid-task", `${task.name}: ${path} is missing`);
  return Buffer.from(file.content).toString("utf8");
}
