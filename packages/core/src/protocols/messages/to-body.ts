import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ChatMessage, ModelRequest } from "../../ports/model-client.ts";
import { type Fields, fieldsList } from "../fields.ts";
import { type BodyOptions, carriedTurn, toolParts, withExtra } from "../request-body.ts";
import { contentOf, plainId, turnsOf, withMarks } from "../turns.ts";
import { answerLimit, claudeThinking } from "./claude-models.ts";

/** Everything up to a block with this mark is kept in the provider's cache for five minutes. */
const mark = { cache_control: { type: "ephemeral" } };

/**
 * The body of a request to Anthropic's Messages API. Three of its four cache marks are set: on the instructions (and
 * so on the tools before them), and on the user's last two turns.
 */
export function messagesBody(request: ModelRequest, { model, settings, stream }: BodyOptions): Fields {
  const { temperature, extraBody, reasoningEffort } = settings;
  const { system, turns } = turnsOf(request.messages);
  const said = turns.map((turn) => ({ role: turn.role, content: contentOf(turn, blocksOf) }));
  const maxTokens = settings.maxTokens ?? answerLimit(model);
  const thinking = claudeThinking(model, reasoningEffort);
  const { responseSchema } = request;
  const format = responseSchema && { type: "json_schema", schema: responseSchema.schema };
  const body = {
    // The budget of thinking has to be smaller than the limit.
    max_tokens: maxTokens > thinking.budget ? maxTokens : maxTokens + thinking.budget,
    ...(temperature !== undefined && { temperature }),
    ...(thinking.fields !== undefined && { thinking: thinking.fields }),
    ...((thinking.effort !== undefined || format !== undefined) && {
      output_config: {
        ...(thinking.effort !== undefined && { effort: thinking.effort }),
        ...(format !== undefined && { format }),
      },
    }),
  };
  return {
    ...withExtra(body, extraBody),
    model,
    ...(system !== "" && { system: [{ type: "text", text: system, ...mark }] }),
    messages: withMarks(
      said.filter(({ content }) => content.length > 0),
      (content) => [...content.slice(0, -1), { ...content.at(-1), ...mark }],
    ),
    ...(request.tools.length > 0 && { tools: request.tools.map(toolOf) }),
    ...(stream && { stream: true }),
  };
}

function toolOf(tool: Readonly<Fields>): Fields {
  const { name, description, parameters } = toolParts(tool);
  return { name, ...(description !== undefined && { description }), input_schema: parameters };
}

function blocksOf(message: ChatMessage): Fields[] {
  if (message.role === "tool") {
    return [{ type: "tool_result", tool_use_id: plainId(message.tool_call_id), content: message.content }];
  }
  const carried = carriedTurn(message, "messages");
  const blocks = fieldsList(carried?.turn);
  if (carried?.isWhole === true) return blocks;
  return [
    ...blocks.filter(isThinking),
    ...textBlocks(message.content),
    ...(message.tool_calls ?? []).map(callBlock),
  ];
}

function isThinking({ type }: Fields): boolean {
  return type === "thinking" || type === "redacted_thinking";
}

/** Text without a visible character is refused. */
function textBlocks(text: string): Fields[] {
  return text.trim() === "" ? [] : [{ type: "text", text }];
}

function callBlock({ id, function: called }: NonNullable<ChatMessage["tool_calls"]>[number]): Fields {
  const { arguments: input } = toolArguments(called.arguments);
  return { type: "tool_use", id: plainId(id), name: called.name, input };
}
