import type { ChatMessage, ModelAnswer } from "@tracemill/core/ports/model-client.ts";

/** Room that is left free in a context: for an answer, and for what the terminal shows next. */
const usualReserve = 8_000;
/** What is freed at least of a conversation that was refused as too long, so that a summary fits. */
const freedTokens = 4_000;
/** Fewer than the usual four, since screens hold much that is no word. */
const bytesPerToken = 3;

/** About how many tokens messages take, where no server has counted them. */
export function estimateTokens(messages: readonly ChatMessage[]): number {
  const bytes = messages.reduce(
    (sum, { content, reasoning_content: reasoning = "" }) =>
      sum + Buffer.byteLength(content) + Buffer.byteLength(reasoning),
    0,
  );
  return Math.ceil(bytes / bytesPerToken);
}

/**
 * Tokens of a conversation: what the server counted up to its last answer, and an estimate of what came since.
 * @param last the newest answer, and how many messages there were with it.
 */
export function tokensUsed(
  messages: readonly ChatMessage[],
  last: { usage: ModelAnswer["usage"]; messages: number } | undefined,
): number {
  if (last?.usage === undefined) return estimateTokens(messages);
  const { promptTokens, completionTokens } = last.usage;
  return promptTokens + completionTokens + estimateTokens(messages.slice(last.messages));
}

/** Whether so little of the context is left that a summary is due. */
export function isNearlyFull(used: number, contextTokens: number, maxTokens = 0): boolean {
  const reserve = Math.max(Math.min(usualReserve, contextTokens / 4), maxTokens);
  return contextTokens - used < reserve;
}

/** Turns of a conversation: an answer and what was said to it. @param head messages before the first one. */
export function turnsOf(messages: readonly ChatMessage[], head: number): number {
  return messages.slice(head).filter(({ role }) => role === "assistant").length;
}

/** The conversation without its last turns, ending with the user's words before them. */
export function withoutLastTurns(
  messages: readonly ChatMessage[],
  head: number,
  turns: number,
): readonly ChatMessage[] {
  const starts = messages.flatMap(({ role }, index) =>
    role === "assistant" && index >= head ? [index] : [],
  );
  const from = starts.at(-turns);
  return turns <= 0 || from === undefined ? messages : messages.slice(0, from);
}

/** Without as many of its last turns as free room for a summary: one at least, and half of them at most. */
export function unwound(messages: readonly ChatMessage[], head: number): readonly ChatMessage[] {
  const most = Math.max(Math.floor(turnsOf(messages, head) / 2), 1);
  for (let turns = 1; turns < most; turns += 1) {
    const kept = withoutLastTurns(messages, head, turns);
    if (estimateTokens(messages.slice(kept.length)) >= freedTokens) return kept;
  }
  return withoutLastTurns(messages, head, most);
}
