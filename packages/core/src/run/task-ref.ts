import type { HarborTask } from "../harbor/task.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { composeFile, networkModeOf } from "../trial/environment.ts";
import type { ReferenceSolution, TaskNeed, TaskRef } from "./trial.ts";

interface Provenance {
  hash: string;
  group?: string | undefined;
  origin: TaskRef["origin"];
  references: ReferenceSolution[];
}

/** How a run sees a Harbor task. */
export function harborTaskRef(task: HarborTask, provenance: Provenance): TaskRef {
  return {
    hash: provenance.hash,
    kind: "harbor",
    name: task.name,
    group: provenance.group ?? task.name,
    environment: task.environmentHash,
    origin: provenance.origin,
    hasSolution: task.hasSolution,
    decidedBy: "tests",
    tools: [],
    needs: needsOf(task),
    references: provenance.references,
  };
}

/** How a run sees a scenario. All scenarios share the bare environment. */
export function scenarioTaskRef(scenario: Scenario, provenance: Provenance): TaskRef {
  return {
    hash: provenance.hash,
    kind: "scenario",
    name: scenario.name,
    group: provenance.group ?? scenario.name,
    environment: "bare",
    origin: provenance.origin,
    hasSolution: false,
    decidedBy: scenario.expected_answer === undefined ? "none" : "answer",
    tools: scenario.tools.map(toolName),
    needs: ["no-network"],
    references: provenance.references,
  };
}

function toolName(tool: Record<string, unknown>): string {
  const inner = tool.function as { name?: unknown } | undefined;
  return String(inner?.name ?? tool.name ?? "");
}

function needsOf(task: HarborTask): TaskNeed[] {
  const { environment, agent, verifier, steps } = task.config;
  const own = verifier.environment;
  const modes = [environment, agent, verifier, own].map((section) => section?.network_mode);
  const users = [agent.user, verifier.user];
  const hasDockerfile = task.files.some((file) => file.path === "environment/Dockerfile");
  const needs: Record<TaskNeed, boolean> = {
    image: own?.docker_image != null || (environment.docker_image != null && !hasDockerfile),
    "verifier-environment": own != null,
    gpu: (environment.gpus ?? 0) > 0 || environment.tpu != null,
    "network-allowlist": modes.includes("allowlist"),
    windows: environment.os === "windows",
    "multi-step": (steps ?? []).length > 0,
    "mcp-server": environment.mcp_servers.length > 0,
    compose: task.files.some((file) => composeFile.test(file.path)),
    user: users.some((user) => user != null && user !== "root" && user !== 0),
    "no-network": (["agent", "verifier"] as const).some(
      (phase) => networkModeOf(task.config, phase) === "no-network",
    ),
  };
  return (Object.keys(needs) as TaskNeed[]).filter((need) => needs[need]);
}
