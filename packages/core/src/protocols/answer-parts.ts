import type { ModelAnswer, ToolCall } from "../ports/model-client.ts";
import type { ModelProtocol } from "./protocol.ts";
import type { Carry } from "./request-body.ts";

/** The optional fields of an answer, those that are known. */
type Known = {
  [Key in "reasoning" | "usage" | "tokens" | "carry"]: ModelAnswer[Key] | undefined;
};

export function withKnown(
  answer: Pick<ModelAnswer, "text" | "toolCalls" | "finish">,
  known: Partial<Known>,
): ModelAnswer {
  const given = Object.entries(known).filter(([, value]) => value !== undefined);
  return { ...answer, ...Object.fromEntries(given) };
}

/** Ids are made unique, since results are matched to calls by them. */
export function uniqueIds(calls: readonly ToolCall[]): ToolCall[] {
  const seen = new Set<string>();
  return calls.map((call, index) => {
    const isOwn = call.id !== "" && !seen.has(call.id);
    const id = isOwn ? call.id : `call_${index + 1}${call.id === "" ? "" : `_${call.id}`}`;
    seen.add(id);
    return { ...call, id };
  });
}

export function carryOf(
  protocol: ModelProtocol,
  turn: unknown,
  { text, toolCalls }: Pick<ModelAnswer, "text" | "toolCalls">,
): Carry {
  return { protocol, turn, text, callIds: toolCalls.map(({ id }) => id) };
}
