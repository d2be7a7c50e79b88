import * as z from "zod";
import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ModelAnswer, ToolCall } from "../../ports/model-client.ts";
import { parseAs } from "../../validation.ts";
import { carryOf, uniqueIds, withKnown } from "../answer-parts.ts";
import { type Fields, fieldsOf, textIn } from "../fields.ts";
import { claudeFinish } from "../messages/read-answer.ts";
import { converseUsage } from "../usage.ts";

const Answer = z.looseObject({
  output: z.looseObject({
    message: z.looseObject({ content: z.array(z.looseObject({})) }),
  }),
  stopReason: z.string().nullish(),
});

/**
 * Reads the body of an answer of Bedrock's Converse.
 * @throws TracemillError `model-failed`, naming the field, for anything else.
 */
export function readConverseAnswer(body: unknown, where: string): ModelAnswer {
  const answer = parseAs(Answer, body, `${where}: the answer`, "model-failed");
  const blocks = answer.output.message.content as Fields[];
  const text = blocks.map((block) => textIn(block.text)).join("");
  const toolCalls = uniqueIds(blocks.flatMap(toolCall));
  const reasoning = blocks.map(reasoningText).join("");
  const needsCarry = blocks.some(({ reasoningContent }) => reasoningContent !== undefined);
  return withKnown(
    { text, toolCalls, finish: claudeFinish(answer.stopReason, toolCalls) },
    {
      reasoning: reasoning || undefined,
      usage: converseUsage(fieldsOf(body).usage),
      carry: needsCarry ? carryOf("converse", blocks, { text, toolCalls }) : undefined,
    },
  );
}

function toolCall({ toolUse }: Fields): ToolCall[] {
  if (toolUse === undefined) return [];
  const { toolUseId, name, input } = fieldsOf(toolUse);
  const { arguments: args, extra } = toolArguments(input);
  const noted = Object.keys(extra).length > 0 && { extra };
  return [{ id: textIn(toolUseId), name: textIn(name), arguments: args, ...noted }];
}

function reasoningText({ reasoningContent }: Fields): string {
  return textIn(fieldsOf(fieldsOf(reasoningContent).reasoningText).text);
}
