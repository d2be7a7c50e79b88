import { roughTokens } from "@tracemill/core/models/rough-tokens.ts";
import { wholeBody } from "@tracemill/core/protocols/assemble.ts";
import { modelOf } from "@tracemill/core/protocols/model-name.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { usageOf } from "@tracemill/core/protocols/usage.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";

/** What an exchange with a model says of itself. */
export interface ModelReading {
  model?: string;
  usage?: Usage;
  /** True when nobody said how many tokens there were. */
  isEstimate?: boolean;
}

export interface ModelExchange {
  protocol: ModelProtocol | undefined;
  path: string;
  /** Of the answer; absent when none came. */
  status: number | undefined;
  /** Bodies in the form of a record. */
  asked: unknown;
  said: unknown;
  /** Whether the answer ended before its end: what it says that it used is then too little. */
  isCut: boolean;
}

/** Reads who answered and what was used. Errors of a provider cost nothing. */
export function readModelExchange(
  exchange: ModelExchange,
  cost: ((model: string, usage: Usage) => number | undefined) | undefined,
): ModelReading {
  const { protocol, path, status, asked, said } = exchange;
  if (protocol === undefined) return {};
  const whole = wholeBody(protocol, said);
  const model = modelOf(protocol, { path, request: asked, answer: whole });
  const named = model === undefined ? {} : { model };
  if (status === undefined || status < 200 || status > 299) return named;
  const { usage, isEstimate } = usageOrEstimate(protocol, whole, exchange);
  const costUsd = model === undefined ? undefined : cost?.(model, usage);
  return { ...named, usage: costUsd === undefined ? usage : { ...usage, costUsd }, isEstimate };
}

function usageOrEstimate(
  protocol: ModelProtocol,
  whole: unknown,
  { asked, isCut }: ModelExchange,
): { usage: Usage; isEstimate: boolean } {
  const told = usageOf(protocol, whole);
  if (told !== undefined && !isCut) return { usage: told, isEstimate: false };
  const completionTokens = Math.max(told?.completionTokens ?? 0, roughTokens(whole));
  const promptTokens = told?.promptTokens ?? roughTokens(asked);
  return { usage: { cachedTokens: 0, ...told, promptTokens, completionTokens }, isEstimate: true };
}
