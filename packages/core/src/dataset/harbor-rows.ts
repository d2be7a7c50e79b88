import { trajectoryToConversations } from "../atif/conversations.ts";
import { pythonFloat } from "../atif/python-json.ts";
import type { Trajectory } from "../atif/trajectory.ts";
import { rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import type { Row } from "./json-row.ts";
import { modelOf } from "./sft-row.ts";

export interface HarborRowOptions {
  episodes: "all" | "last";
  /** What the agent was asked, when the task's archive still says. */
  instruction: string | undefined;
}

/**
 * A trial as Harbor's export rows, none when the agent had no turn.
 * @throws TracemillError `unsupported` for images and sound.
 */
export function harborRows(
  result: AttemptResult,
  trajectory: Trajectory,
  { episodes, instruction }: HarborRowOptions,
): Row[] {
  const reward = rewardOf(result.outcome);
  const { provider, model } = splitModel(modelOf(result, trajectory) ?? "");
  const about = {
    agent: result.trial.agent.name,
    model,
    modelProvider: provider,
    date: result.startedAt,
    runId: result.runId,
    task: result.trial.task.name,
    trialName: result.trial.trialId,
    result: reward === undefined ? result.outcome.kind : pythonFloat(reward),
  };
  return trajectoryToConversations(trajectory, about, { episodes }).map((row) => ({
    conversations: row.conversations,
    agent: row.agent,
    model: row.model,
    model_provider: row.model_provider,
    date: row.date,
    task: row.task,
    episode: row.episode,
    run_id: row.run_id,
    trial_name: row.trial_name,
    result: row.result ?? null,
    tool_definitions: row.tool_definitions === undefined ? null : JSON.stringify(row.tool_definitions),
    instruction: instruction ?? null,
    verifier_output: verifierOutput(result) ?? null,
  }));
}

function splitModel(name: string): { provider: string; model: string } {
  const slash = name.indexOf("/");
  return { provider: name.slice(0, Math.max(slash, 0)), model: name.slice(slash + 1) };
}

/** What the last verification printed: stdout, then stderr. */
function verifierOutput({ verifications }: AttemptResult): string | undefined {
  const last = verifications.at(-1);
  const text = `${last?.stdout ?? ""}${last?.stderr ?? ""}`;
  return text === "" ? undefined : text;
}
