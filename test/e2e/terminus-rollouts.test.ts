import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ReplayModel, recordingOf } from "@tracemill/agents/replay/model.ts";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { terminus } from "@tracemill/agents/terminus/agent.ts";
import { isLiveTool } from "@tracemill/agents/tools/registry.ts";
import { toolsAgent } from "@tracemill/agents/tools-agent.ts";
import { solutionToTrajectory } from "@tracemill/core/atif/from-solution.ts";
import { parseTrajectory, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { Agent, AgentContext } from "@tracemill/core/ports/agent.ts";
import { Solution, Task } from "@tracemill/core/production/schemas.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { afterAll, describe, expect, test } from "vitest";
import { agentContext } from "../fakes/agent-context.ts";
import { modelsOf } from "../fakes/scripted-client.ts";
import { tempDir } from "../fakes/temp-dir.ts";

const folder = resolve(import.meta.dirname, "../../../shared/data/rollouts");
const home = await tempDir("tracemill-rollouts-");
const provider = namespaceSandboxes({ dir: `${home.path}/sandboxes`, cacheDir: `${home.path}/cache` });
const why = existsSync(folder)
  ? (await provider.doctor()).find(({ status }) => status === "missing")?.detail
  : "no ../shared/data/rollouts";

afterAll(async () => {
  await provider.close();
  await rm(home.path, { recursive: true, force: true });
});

interface Recorded {
  name: string;
  trajectory: Trajectory;
  /** Its calls, by the tool's name. */
  tools: string[];
}

async function recordings(): Promise<Recorded[]> {
  if (why !== undefined) return [];
  const files = (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).toSorted();
  const rows = files.map(async (file) => {
    const lines = (await readFile(join(folder, file), "utf8")).trim().split("\n");
    return lines.map((line, index) => recordedOf(`${file}, row ${index + 1}`, line));
  });
  return (await Promise.all(rows)).flat();
}

function recordedOf(name: string, line: string): Recorded {
  const { responses_create_params, response } = JSON.parse(line);
  const trajectory = solutionToTrajectory({
    task: Task.parse({ id: "t", responses_create_params }),
    solution: Solution.parse({ id: "s", response }),
  });
  const turns = recordingOf(trajectory).turns;
  return {
    name,
    trajectory,
    tools: turns.flatMap(({ step }) => (step.tool_calls ?? []).map((call) => call.function_name)),
  };
}

async function play(agent: Agent, { trajectory: reference, name }: Recorded) {
  await using sandbox = Object.assign(
    await provider.create({
      environment: { files: [], env: {}, buildTimeoutSec: 60 },
      limits: { memoryBytes: 1024 ** 3, pids: 256 },
      network: "none",
      label: name,
    }),
    { [Symbol.asyncDispose]: () => sandbox.close() },
  );
  const context: AgentContext = agentContext({
    agent: { name: agent.name, model: "replay/reference" },
    sandbox,
    reference,
    solutionId: "s",
    clock: systemClock,
    models: modelsOf(() => new ReplayModel("replay/reference", recordingOf(reference))),
  });
  return await agent.run(context);
}

const all = await recordings();
const title = why === undefined ? "recorded rollouts" : `recorded rollouts (skipped: ${why})`;

describe.skipIf(why !== undefined)(title, () => {
  const withShell = all.filter(({ tools }) => tools.some((tool) => tool === "terminal" || tool === "Bash"));
  const withLive = all.filter(({ tools }) => tools.some(isLiveTool));

  test("are there to be played", () => {
    expect([withShell.length, withLive.length]).toEqual([6, 14]);
  });

  test.each(withShell)("drive the terminal agent: $name", { timeout: 300_000 }, async (recorded) => {
    const { end, trajectory } = await play(terminus, recorded);
    expect(end).toEqual({ kind: "completed" });
    const { steps } = parseTrajectory(trajectory, "terminus");
    const turns = recordingOf(recorded.trajectory).turns.length;
    // The last one says that the task is done, and is asked once more.
    expect(steps.filter(({ source }) => source === "agent")).toHaveLength(turns + 1);
    const typed = steps.flatMap(({ extra }) => (extra?.typed as { keystrokes: string }[] | undefined) ?? []);
    const shellCalls = recorded.tools.filter((tool) => tool === "terminal" || tool === "Bash");
    expect(typed).toHaveLength(1 + shellCalls.length);
  });

  test.each(withLive)("drive the tools agent: $name", { timeout: 300_000 }, async (recorded) => {
    const { end, trajectory, replay } = await play(toolsAgent, recorded);
    expect(end).toEqual({ kind: "completed" });
    parseTrajectory(trajectory, "tools");
    expect(replay).toMatchObject({
      calls: recorded.tools.length,
      unavailable: recorded.tools.filter((tool) => !isLiveTool(tool)).length,
    });
  });
});
