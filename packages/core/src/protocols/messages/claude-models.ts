import type { Fields } from "../fields.ts";

/** As in `claude-sonnet-4-5-20250929` and `us.anthropic.claude-opus-4-6-v1`; models before 4 are named otherwise. */
function version(model: string): number | undefined {
  if (/claude-(?:3|2|instant)/.test(model)) return 3;
  const [, major, minor = "0"] = /claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?!\d)/.exec(model) ?? [];
  return major === undefined ? undefined : Number(major) + Number(minor) / 100;
}

export function isClaude(model: string): boolean {
  return model.includes("claude");
}

/** `max_tokens` has no default: the most that every model of the generation takes (docs.claude.com, models overview). */
export function answerLimit(model: string): number {
  if ((version(model) ?? 4) >= 4) return 32_000;
  if (/claude-3-7/.test(model)) return 32_000;
  return /claude-3-5/.test(model) ? 8_192 : 4_096;
}

/** Models on Bedrock that take cache marks; others refuse them. */
export function takesCacheMarks(model: string): boolean {
  if (/amazon\.nova/.test(model)) return true;
  return isClaude(model) && ((version(model) ?? 4) >= 4 || /claude-3-7|claude-3-5-haiku/.test(model));
}

/** Tokens that models with a budget of thinking get for a word of effort. */
const budgets = new Map([
  ["low", 2_048],
  ["medium", 8_192],
  ["high", 24_576],
]);

export interface ClaudeThinking {
  /** The request's `thinking`. */
  fields?: Fields;
  /** The request's `output_config.effort`. */
  effort?: string;
  /** Tokens that thinking may take of the answer's. */
  budget: number;
}

/**
 * How a Claude model is told how much to think: from 4.6 on it decides by itself, led by a word; those before have a
 * budget of tokens. Thoughts are asked for in words: from 4.7 on they are left out otherwise
 * (docs.claude.com, adaptive thinking).
 */
export function claudeThinking(model: string, effort: string | number | undefined): ClaudeThinking {
  if (effort === undefined) return { budget: 0 };
  const isAdaptive = (version(model) ?? 4.06) >= 4.06;
  if (typeof effort === "string" && isAdaptive) {
    return { fields: { type: "adaptive", display: "summarized" }, effort, budget: 0 };
  }
  const budget = typeof effort === "number" ? effort : (budgets.get(effort) ?? 24_576);
  return { fields: { type: "enabled", budget_tokens: budget }, budget };
}
