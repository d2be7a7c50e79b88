import { contextSegments } from "../atif/context-segments.ts";
import { stepMessages } from "../atif/messages.ts";
import { assertTextOnly } from "../atif/text-only.ts";
import type { Metrics, Step, Trajectory } from "../atif/trajectory.ts";
import type { ChatMessage } from "../ports/model-client.ts";
import { rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import { usageMetrics } from "../run/usage.ts";
import { type ArtTool, artTools } from "./art-tools.ts";

/**
 * A turn that a model sampled, as OpenAI's API gives it: what ART trains on. The token ids are vLLM's, by which
 * ART trains on exactly the tokens that were sampled.
 */
interface ArtChoice {
  finish_reason: "stop" | "length" | "tool_calls" | "content_filter";
  index: 0;
  logprobs?: { content: { token: string; logprob: number; bytes: null; top_logprobs: [] }[] };
  message: ChatMessage;
  prompt_token_ids?: number[];
  token_ids?: number[];
}

export type MessageOrChoice = ChatMessage | ArtChoice;

interface ArtHistory {
  messages_and_choices: MessageOrChoice[];
  tools: ArtTool[] | null;
}

/** `art.Trajectory` of openpipe-art 0.5, as JSON. */
export interface ArtTrajectory extends ArtHistory {
  reward: number;
  metrics: Record<string, number>;
  metadata: Record<string, string | number>;
  additional_histories: ArtHistory[];
  logs: string[];
}

/**
 * An attempt as a trajectory of ART. Turns of the model are choices (trained on); context that was copied and
 * turns that a program made are messages. Additional histories are what followed where the context was replaced, and
 * subagents of the same model. `undefined` when no model has a turn in the first conversation.
 * @throws TracemillError `unsupported` for images and sound.
 */
export function artTrajectory(
  result: AttemptResult,
  trajectory: Trajectory,
  about: { rowId: string; reward: number },
): ArtTrajectory | undefined {
  const logs: string[] = [];
  const contexts = contextSegments(trajectory).map((segment) => history(segment, logs));
  const [main, ...further] = contexts.map((each, index) =>
    index === contexts.length - 1 ? withLastFinish(each, result) : each,
  );
  if (main === undefined || !main.messages_and_choices.some(isChoice)) return undefined;
  return {
    reward: about.reward,
    metrics: metricsOf(result),
    metadata: metadataOf(result, about.rowId),
    ...main,
    additional_histories: [...further, ...subagentsOf(trajectory).map((each) => history(each, logs))],
    logs: [...logs, ...outcomeLog(result)],
  };
}

export function isChoice(item: MessageOrChoice): item is ArtChoice {
  return "finish_reason" in item;
}

function history(trajectory: Trajectory, logs: string[]): ArtHistory {
  assertTextOnly(trajectory);
  const { tools, problems } = artTools(trajectory.agent.tool_definitions ?? []);
  logs.push(...problems);
  return {
    messages_and_choices: trajectory.steps.flatMap(stepItems),
    tools: tools.length === 0 ? null : tools,
  };
}

/** All below it: a subagent may have its own. Another model's turns are not this model's to learn. */
function subagentsOf({ agent, subagent_trajectories: subagents = [] }: Trajectory): Trajectory[] {
  const own = subagents.filter((each) => (each.agent.model_name ?? agent.model_name) === agent.model_name);
  return own.flatMap((each) => [each, ...subagentsOf(each)]);
}

function stepItems(step: Step): MessageOrChoice[] {
  const [first, ...rest] = stepMessages(step);
  if (first === undefined) return [];
  return [isSampled(step) ? choice(step, first) : first, ...rest];
}

function isSampled(step: Step): boolean {
  return step.source === "agent" && step.is_copied_context !== true && step.llm_call_count !== 0;
}

function choice({ metrics = {} }: Step, message: ChatMessage): ArtChoice {
  return {
    finish_reason: message.tool_calls === undefined ? "stop" : "tool_calls",
    index: 0,
    ...logprobs(metrics),
    message,
    ...(metrics.prompt_token_ids === undefined ? {} : { prompt_token_ids: metrics.prompt_token_ids }),
    ...(metrics.completion_token_ids === undefined ? {} : { token_ids: metrics.completion_token_ids }),
  };
}

/**
 * OpenAI's form names each token; ATIF has no text of tokens, so its id stands there as vLLM writes it
 * (`token_id:N`). Without an id for each there is none: a token is not made up.
 */
function logprobs({ completion_token_ids: ids, logprobs: values }: Metrics): Pick<ArtChoice, "logprobs"> {
  if (ids === undefined || values === undefined || ids.length !== values.length) return {};
  const content = values.map((logprob, index) => ({
    token: `token_id:${ids[index]}`,
    logprob,
    bytes: null,
    top_logprobs: [] as [],
  }));
  return { logprobs: { content } };
}

/** The last turn may have been cut off, which only the attempt's outcome says. */
function withLastFinish(all: ArtHistory, { outcome }: AttemptResult): ArtHistory {
  const failure = outcome.kind === "agent-failed" ? outcome.failure : undefined;
  const last = all.messages_and_choices.findLastIndex(isChoice);
  const items = all.messages_and_choices.map((item, index) => {
    if (index !== last || !isChoice(item)) return item;
    if (failure === "output-limit" || failure === "context-limit")
      return { ...item, finish_reason: "length" as const };
    return failure === "refusal" ? { ...item, finish_reason: "content_filter" as const } : item;
  });
  return { ...all, messages_and_choices: items };
}

function metricsOf({ outcome, usage, timings }: AttemptResult): ArtTrajectory["metrics"] {
  const { reward: _, ...rewards } = "rewards" in outcome ? outcome.rewards : {};
  return {
    ...rewards,
    ...usageMetrics(usage),
    duration: timings.agentMs / 1_000,
  };
}

function metadataOf(
  { trial, runId, attempt, outcome, decidedBy }: AttemptResult,
  rowId: string,
): ArtTrajectory["metadata"] {
  return {
    row_id: rowId,
    trial_id: trial.trialId,
    run_id: runId,
    attempt,
    sample: trial.sample,
    outcome: outcome.kind,
    decided_by: decidedBy,
    ...(trial.reference === undefined ? {} : { solution_id: trial.reference.solutionId }),
  };
}

function outcomeLog({ outcome }: AttemptResult): string[] {
  if (outcome.kind === "agent-failed") return [`agent-failed (${outcome.failure}): ${outcome.reason}`];
  return rewardOf(outcome) === undefined && "reason" in outcome ? [`${outcome.kind}: ${outcome.reason}`] : [];
}
