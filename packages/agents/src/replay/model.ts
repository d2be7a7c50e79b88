import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { ModelAnswer, ModelClient, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import type { Step } from "../trajectory-builder.ts";

/** A recorded agent turn, and what the user said between it and the next one. */
interface Turn {
  step: Step;
  followUps: string[];
}

/** The part of a recording that is played: its own agent turns, without copied context. */
export interface Recording {
  /** Steps before the agent's first turn. */
  preamble: Step[];
  turns: Turn[];
}

export function recordingOf(trajectory: Trajectory): Recording {
  const recording: Recording = { preamble: [], turns: [] };
  for (const step of trajectory.steps) {
    const last = recording.turns.at(-1);
    if (step.source === "agent" && step.is_copied_context !== true)
      recording.turns.push({ step, followUps: [] });
    else if (last === undefined) recording.preamble.push(step);
    else if (step.source === "user") last.followUps.push(textOf(step.message));
  }
  return recording;
}

/** The text of a message; of one with parts, its text parts. */
export function textOf(message: Step["message"]): string {
  if (typeof message === "string") return message;
  return message.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** Gives a recording's answers in their order, whatever it is asked. */
export class ReplayModel implements ModelClient {
  readonly model: string;
  readonly replayed = true;
  readonly #turns: Turn[];
  #next = 0;

  constructor(model: string, recording: Recording) {
    this.model = model;
    this.#turns = recording.turns;
  }

  async complete({ onDelta }: Pick<ModelRequest, "onDelta"> = {}): Promise<ModelAnswer> {
    const turn = this.#turns[this.#next];
    if (turn === undefined) throw new TracemillError("model-failed", "the recording has no further answer");
    this.#next += 1;
    const answer = answerOf(turn.step, this.#next === this.#turns.length);
    if (answer.reasoning !== undefined) onDelta?.({ reasoning: answer.reasoning });
    if (answer.text !== "") onDelta?.({ text: answer.text });
    return answer;
  }
}

function answerOf(step: Step, isLast: boolean): ModelAnswer {
  const toolCalls = (step.tool_calls ?? []).map((call) => ({
    id: call.tool_call_id,
    name: call.function_name,
    arguments: call.arguments,
  }));
  const usage = usageOf(step);
  const goesOn = toolCalls.length > 0 ? "tool-calls" : "more";
  return {
    text: textOf(step.message),
    toolCalls,
    finish: isLast ? "stop" : goesOn,
    ...(step.reasoning_content == null ? {} : { reasoning: step.reasoning_content }),
    ...(usage === undefined ? {} : { usage }),
    ...tokensOf(step),
  };
}

function usageOf({ metrics }: Step): Usage | undefined {
  if (metrics?.prompt_tokens == null && metrics?.completion_tokens == null) return undefined;
  return {
    promptTokens: metrics.prompt_tokens ?? 0,
    completionTokens: metrics.completion_tokens ?? 0,
    cachedTokens: metrics.cached_tokens ?? 0,
    ...(metrics.cost_usd == null ? {} : { costUsd: metrics.cost_usd }),
  };
}

function tokensOf({ metrics }: Step): Pick<ModelAnswer, "tokens"> {
  const tokens = {
    ...(metrics?.prompt_token_ids == null ? {} : { prompt: metrics.prompt_token_ids }),
    ...(metrics?.completion_token_ids == null ? {} : { completion: metrics.completion_token_ids }),
    ...(metrics?.logprobs == null ? {} : { logprobs: metrics.logprobs }),
  };
  return Object.keys(tokens).length === 0 ? {} : { tokens };
}
