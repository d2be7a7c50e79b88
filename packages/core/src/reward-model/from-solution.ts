import { solutionToTrajectory } from "../atif/from-solution.ts";
import { isTracemillError } from "../errors.ts";
import type { Solution, Task } from "../production/schemas.ts";
import { aside, type Found, foundEpisode, hostOf } from "./found.ts";
import { type Fields, firstOf, isFields, type Recording, stepsOfRecording } from "./read-recording.ts";
import { stepsOfTrajectory } from "./text-steps.ts";

export interface SnapshotPlace {
  source: string;
  snapshotId: string;
}

/** The episode of a recorded solution, from its browser recording or else from its calls of tools. */
export function episodeOfSolution(
  { task, solution }: { task: Task; solution: Solution },
  { source, snapshotId }: SnapshotPlace,
): Found {
  const { id: taskId } = task;
  const origin = { kind: "snapshot" as const, source, snapshotId, taskId, solutionId: solution.id };
  const evaluation = evaluationOf(solution);
  if (evaluation.status === "pending" || evaluation.status === "evaluating") {
    return aside("not-evaluated", `its evaluation is ${evaluation.status}`, origin);
  }
  try {
    const recorded = { ...episodeFields(task, solution, source), steps: stepsOf(task, solution) };
    return foundEpisode({ ...recorded, ...scoresOf(evaluation) }, origin);
  } catch (error) {
    if (!isTracemillError(error, "invalid-trajectory")) throw error;
    return aside("invalid", error.message, origin);
  }
}

/** What the source says of a solution: under `evaluation`, or in the solution itself. */
function evaluationOf(solution: Solution): Fields {
  return isFields(solution.evaluation) ? solution.evaluation : solution;
}

function episodeFields(task: Task, solution: Solution, source: string) {
  const { agent, model } = solution;
  return {
    // Sources number their solutions each for itself.
    episode_id: `${source}/${solution.id}`,
    project_id: websiteOf(task, solution),
    task_id: task.id,
    group: task.group || undefined,
    instruction: task.prompt || task.title || undefined,
    agent: firstOf(agent, solution.agent_id, solution.web_agent_id),
    model,
    decided_by: "claim",
  };
}

function stepsOf(task: Task, solution: Solution): unknown[] {
  const recording = recordingOf(solution);
  return recording === undefined
    ? stepsOfTrajectory(solutionToTrajectory({ task, solution }))
    : stepsOfRecording(recording);
}

/** The browser recording of a solution; none when its steps are calls of tools, or a conversation. */
function recordingOf(solution: Solution): Recording | undefined {
  const evaluation = evaluationOf(solution);
  const artifacts: Fields = isFields(solution.artifacts) ? solution.artifacts : {};
  const lists = [
    solution.execution_history,
    evaluation.execution_history,
    solution.actions,
    artifacts.steps,
    artifacts.actions,
    solution.steps,
  ];
  const entries = lists.find((list): list is unknown[] => Array.isArray(list) && list.some(isBrowserEntry));
  if (entries === undefined) return undefined;
  const either = (name: string): unknown => firstOf(solution[name], artifacts[name], evaluation[name]);
  return {
    entries,
    snapshots: listOf(firstOf(either("browser_snapshots"), either("snapshots"))),
    screenshots: listOf(either("screenshots")),
    backendEvents: either("backend_events"),
  };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isBrowserEntry(entry: unknown): boolean {
  if (!isFields(entry)) return false;
  return ["action", "action_result", "browser_snapshot", "type", "kind"].some(
    (key) => entry[key] !== undefined,
  );
}

/**
 * The score that the source gives, else the share of its checks that passed (as autoppia_iwa makes it). A status
 * alone is no number: `failed` may be anybody's failure.
 */
function scoresOf(evaluation: Fields) {
  const checks = listOf(evaluation.checks).filter(isFields);
  const results = listOf(evaluation.test_results).filter(isFields);
  const tests = [
    ...results.map(({ name, success }) => ({ name, success })),
    ...checks.map(({ name, passed }) => ({ name, success: passed })),
  ].filter(({ success }) => typeof success === "boolean");
  const share = tests.filter(({ success }) => success === true).length / tests.length;
  const isDecided = tests.length > 0 && tests.length === results.length + checks.length;
  return {
    final_score: firstOf(evaluation.final_score, evaluation.score, isDecided ? share : undefined),
    raw_score: evaluation.raw_score,
    evaluation_tests: tests.length === 0 ? undefined : tests,
    checks: checks.length === 0 ? undefined : checks.map(checkOf),
  };
}

function checkOf({ name, passed, value, details }: Fields) {
  return { name, passed, value, details: isFields(details) || details == null ? details : { details } };
}

/** The website of a task: its project, else the host of its address. */
function websiteOf(task: Task, solution: Solution): string | undefined {
  const inputs: Fields = isFields(task.inputs) ? task.inputs : {};
  const named = firstOf(task.web_project_id, task.project_id, task.website, solution.website);
  if (typeof named === "string" && named !== "") return named;
  const addresses = [task.url, task.start_url, task.startUrl, inputs.url, inputs.start_url];
  return addresses.map(hostOf).find((host) => host !== undefined);
}
