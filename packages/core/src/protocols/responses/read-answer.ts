import * as z from "zod";
import { sourceContent } from "../../atif/source-content.ts";
import { allText } from "../../atif/text-only.ts";
import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ModelAnswer, ToolCall } from "../../ports/model-client.ts";
import { parseAs } from "../../validation.ts";
import { carryOf, uniqueIds, withKnown } from "../answer-parts.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../fields.ts";
import { responsesUsage } from "../usage.ts";

const Response = z.looseObject({
  output: z.array(z.looseObject({ type: z.string() })),
  status: z.string().nullish(),
  incomplete_details: z.looseObject({ reason: z.string().nullish() }).nullish(),
});
type Response = z.infer<typeof Response>;

/**
 * Reads the body of a Responses API answer.
 * @throws TracemillError `model-failed`, naming the field, for anything else.
 */
export function readResponsesAnswer(body: unknown, where: string): ModelAnswer {
  const response = parseAs(Response, body, `${where}: the answer`, "model-failed");
  const items = response.output as Fields[];
  const messages = items.filter(({ type }) => type === "message");
  const text = messages.map(({ content }) => allText(sourceContent(content).content)).join("\n");
  const toolCalls = uniqueIds(items.flatMap(toolCall));
  const reasoning = items
    .filter(({ type }) => type === "reasoning")
    .map(reasoningText)
    .join("\n\n");
  const needsCarry = items.some(({ type }) => type !== "message" && type !== "function_call");
  return withKnown(
    { text, toolCalls, finish: finishOf(response, messages, toolCalls) },
    {
      reasoning: reasoning || undefined,
      usage: responsesUsage(fieldsOf(body).usage),
      tokens: tokensOf(items),
      carry: needsCarry ? carryOf("responses", items, { text, toolCalls }) : undefined,
    },
  );
}

/** The reasoning itself where the server gives it, else its summary. */
function reasoningText({ content, summary }: Fields): string {
  const own = allText(sourceContent(content).content);
  return own === ""
    ? fieldsList(summary)
        .map(({ text }) => textIn(text))
        .join("\n\n")
    : own;
}

function toolCall(item: Fields): ToolCall[] {
  const id = textIn(item.call_id) || textIn(item.id);
  if (item.type === "custom_tool_call") {
    return [{ id, name: textIn(item.name), arguments: { input: item.input } }];
  }
  if (item.type !== "function_call") return [];
  const { arguments: args, extra } = toolArguments(item.arguments);
  const name = textIn(item.name);
  return [{ id, name, arguments: args, ...(Object.keys(extra).length > 0 && { extra }) }];
}

function finishOf(
  { status, incomplete_details: details }: Response,
  messages: readonly Fields[],
  toolCalls: readonly ToolCall[],
): ModelAnswer["finish"] {
  if (status === "incomplete") return details?.reason === "content_filter" ? "refusal" : "length";
  if (messages.some(({ content }) => fieldsList(content).some(({ type }) => type === "refusal")))
    return "refusal";
  return toolCalls.length > 0 ? "tool-calls" : "stop";
}

/** Where `message.output_text.logprobs` was asked for. */
function tokensOf(items: readonly Fields[]): ModelAnswer["tokens"] {
  const parts = items.flatMap(({ content }) => fieldsList(content));
  const logprobs = parts
    .flatMap((part) => fieldsList(part.logprobs))
    .flatMap(({ logprob }) => (typeof logprob === "number" ? [logprob] : []));
  return logprobs.length === 0 ? undefined : { logprobs };
}
