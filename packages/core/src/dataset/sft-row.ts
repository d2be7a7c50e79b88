import { trajectoryToMessages } from "../atif/messages.ts";
import type { Trajectory } from "../atif/trajectory.ts";
import type { ChatMessage } from "../ports/model-client.ts";
import { rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import type { Row } from "./json-row.ts";

/**
 * A trial as a row for supervised fine-tuning: OpenAI messages with native tool calls. `undefined` when the
 * conversation has no turn of the agent.
 * @throws TracemillError `unsupported` for images and sound.
 */
export function sftRow(
  result: Pick<AttemptResult, "trial" | "runId" | "outcome" | "decidedBy">,
  trajectory: Trajectory,
  rowId: string,
): Row | undefined {
  const { messages, tools } = trajectoryToMessages(trajectory);
  if (!messages.some(({ role }) => role === "assistant")) return undefined;
  const { trial, outcome } = result;
  return {
    row_id: rowId,
    messages: messages.map(fullMessage),
    tools: tools.length === 0 ? null : JSON.stringify(tools),
    task: trial.task.name,
    group: trial.task.group,
    agent: trial.agent.name,
    model: modelOf(result, trajectory) ?? null,
    reward: rewardOf(outcome) ?? null,
    outcome: outcome.kind,
    decided_by: result.decidedBy,
    trial_id: trial.trialId,
    run_id: result.runId,
  };
}

/** The model that ran, or the one that made the recorded solution. */
export function modelOf({ trial }: Pick<AttemptResult, "trial">, trajectory: Trajectory): string | undefined {
  return trial.agent.model ?? trajectory.agent.model_name ?? trial.reference?.model;
}

function fullMessage(message: ChatMessage): Row {
  return {
    role: message.role,
    content: message.content,
    reasoning_content: message.reasoning_content ?? null,
    tool_calls: message.tool_calls ?? null,
    tool_call_id: message.tool_call_id ?? null,
    name: null,
  };
}
