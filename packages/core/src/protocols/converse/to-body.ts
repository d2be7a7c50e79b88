import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ChatMessage, ModelRequest } from "../../ports/model-client.ts";
import { type Fields, fieldsList } from "../fields.ts";
import { answerLimit, claudeThinking, isClaude, takesCacheMarks } from "../messages/claude-models.ts";
import { type BodyOptions, carriedTurn, effortWord, toolParts, withExtra } from "../request-body.ts";
import { contentOf, plainId, turnsOf, withMarks } from "../turns.ts";

const mark = { cachePoint: { type: "default" } };

/**
 * The body of a request to Bedrock's Converse and ConverseStream; the model stands in the path, and so does whether
 * the answer streams. Cache marks as for Anthropic, where the model takes them.
 */
export function converseBody(request: ModelRequest, { model, settings }: BodyOptions): Fields {
  const { system, turns } = turnsOf(request.messages);
  const said = turns.map((turn) => ({ role: turn.role, content: contentOf(turn, blocksOf) }));
  const { temperature, extraBody } = settings;
  const thinking = thinkingOf(model, settings.reasoningEffort);
  const maxTokens = settings.maxTokens ?? (isClaude(model) ? answerLimit(model) : undefined);
  const { responseSchema } = request;
  const marks = takesCacheMarks(model) ? [mark] : [];
  const body = {
    inferenceConfig: {
      ...(maxTokens !== undefined && {
        maxTokens: maxTokens > thinking.budget ? maxTokens : maxTokens + thinking.budget,
      }),
      ...(temperature !== undefined && { temperature }),
    },
    ...(thinking.fields !== undefined && { additionalModelRequestFields: thinking.fields }),
    ...(responseSchema !== undefined && { outputConfig: { textFormat: textFormat(responseSchema) } }),
  };
  return {
    ...withExtra(body, extraBody),
    ...(system !== "" && { system: [{ text: system }, ...marks] }),
    messages: withMarks(
      said.filter(({ content }) => content.length > 0),
      (content) => [...content, ...marks],
    ),
    ...(request.tools.length > 0 && { toolConfig: { tools: request.tools.map(toolOf) } }),
  };
}

function textFormat({ name, schema }: NonNullable<ModelRequest["responseSchema"]>): Fields {
  return { type: "json_schema", structure: { jsonSchema: { name, schema: JSON.stringify(schema) } } };
}

/** Claude's settings of thinking go through as they are; other models on Bedrock know a word at most. */
function thinkingOf(model: string, effort: string | number | undefined): { fields?: Fields; budget: number } {
  if (effort === undefined) return { budget: 0 };
  if (!isClaude(model)) return { fields: { reasoning_effort: effortWord(effort, model) }, budget: 0 };
  const { fields, effort: word, budget } = claudeThinking(model, effort);
  return {
    budget,
    fields: { thinking: fields, ...(word !== undefined && { output_config: { effort: word } }) },
  };
}

function toolOf(tool: Readonly<Fields>): Fields {
  const { name, description, parameters } = toolParts(tool);
  const described = description !== undefined && description !== "";
  return { toolSpec: { name, ...(described && { description }), inputSchema: { json: parameters } } };
}

function blocksOf(message: ChatMessage): Fields[] {
  if (message.role === "tool") {
    // Empty text is refused.
    const text = message.content === "" ? "(no output)" : message.content;
    return [{ toolResult: { toolUseId: plainId(message.tool_call_id), content: [{ text }] } }];
  }
  const carried = carriedTurn(message, "converse");
  const blocks = fieldsList(carried?.turn);
  if (carried?.isWhole === true) return blocks;
  return [
    ...blocks.filter(({ reasoningContent }) => reasoningContent !== undefined),
    ...(message.content.trim() === "" ? [] : [{ text: message.content }]),
    ...(message.tool_calls ?? []).map(({ id, function: called }) => {
      const { arguments: input } = toolArguments(called.arguments);
      return { toolUse: { toolUseId: plainId(id), name: called.name, input } };
    }),
  ];
}
