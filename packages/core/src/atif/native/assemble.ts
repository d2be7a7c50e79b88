import { allText } from "../text-only.ts";
import type { Step, Trajectory } from "../trajectory.ts";

/** One conversation of a program with its model, as its own log tells it. */
export interface NativeThread {
  id: string;
  /** False for what another conversation started. */
  isMain: boolean;
  agentVersion: string | undefined;
  sessionId: string | undefined;
  model: string | undefined;
  toolDefinitions?: Record<string, unknown>[];
  steps: Step[];
  notes?: string;
  extra: Record<string, unknown>;
  /** Of a subagent: the call that started it. */
  startedBy?: string | undefined;
}

/**
 * Makes one trajectory of a program's conversations: the first main one, with the others as its subagents.
 * @returns undefined when there is not a single step.
 */
export function assemble(name: string, threads: readonly NativeThread[]): Trajectory | undefined {
  const told = threads.filter(({ steps }) => steps.length > 0);
  const main = told.find(({ isMain }) => isMain) ?? told[0];
  if (main === undefined) return undefined;
  const others = told.filter((thread) => thread !== main);
  const ids = subagentIds(others);
  const steps = main.steps.map((step) => withRefs(step, others, ids));
  const subagents = others.map((thread) => ({
    ...trajectoryOf(name, thread, thread.steps),
    trajectory_id: ids.get(thread) ?? thread.id,
  }));
  const silent = threads.filter((thread) => !told.includes(thread) && Object.keys(thread.extra).length > 0);
  const extra = {
    ...main.extra,
    ...(silent.length > 0 && { logs_without_steps: silent.map(({ id, extra: kept }) => ({ id, ...kept })) }),
  };
  return {
    ...trajectoryOf(name, { ...main, extra }, steps),
    ...(subagents.length > 0 && { subagent_trajectories: subagents }),
  };
}

function trajectoryOf(name: string, thread: NativeThread, steps: Step[]): Trajectory {
  const { agentVersion, model, toolDefinitions, sessionId, notes, extra } = thread;
  return {
    schema_version: "ATIF-v1.8",
    ...(sessionId !== undefined && { session_id: sessionId }),
    agent: {
      name,
      version: agentVersion ?? "unknown",
      ...(model !== undefined && { model_name: model }),
      ...(toolDefinitions !== undefined && { tool_definitions: toolDefinitions }),
    },
    steps,
    ...(notes !== undefined && { notes }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** Unique, whatever the logs say. */
function subagentIds(threads: readonly NativeThread[]): Map<NativeThread, string> {
  const taken = new Set<string>();
  return new Map(
    threads.map((thread) => {
      let id = thread.id;
      for (let number = 2; taken.has(id); number += 1) id = `${thread.id}#${number}`;
      taken.add(id);
      return [thread, id];
    }),
  );
}

/** Points from the result of the call that started a subagent to its trajectory. */
function withRefs(step: Step, threads: readonly NativeThread[], ids: Map<NativeThread, string>): Step {
  if (step.observation === undefined || threads.length === 0) return step;
  const results = step.observation.results.map((result) => {
    const started = threads.filter(({ id, startedBy }) =>
      startedBy === undefined ? allText(result.content).includes(id) : startedBy === result.source_call_id,
    );
    if (started.length === 0) return result;
    const refs = started.map((thread) => ({ trajectory_id: ids.get(thread) ?? thread.id }));
    return { ...result, subagent_trajectory_ref: refs };
  });
  return { ...step, observation: { results } };
}
