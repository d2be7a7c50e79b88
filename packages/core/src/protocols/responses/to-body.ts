import type { ChatMessage, ModelRequest } from "../../ports/model-client.ts";
import { type Fields, fieldsList } from "../fields.ts";
import { isOpenAiReasoner } from "../openai-models.ts";
import { type BodyOptions, carriedTurn, effortWord, toolParts, withExtra } from "../request-body.ts";

/**
 * The body of a request to the Responses API. Nothing is kept by the provider (`store: false`): each request holds the
 * whole conversation, with reasoning that only the provider can read (`reasoning.encrypted_content`).
 */
export function responsesBody(request: ModelRequest, { model, settings, stream }: BodyOptions): Fields {
  const { maxTokens, temperature, extraBody } = settings;
  const effort = effortWord(settings.reasoningEffort, model);
  const { responseSchema } = request;
  const body = {
    ...(maxTokens !== undefined && { max_output_tokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(effort !== undefined && { reasoning: { effort } }),
    ...(responseSchema !== undefined && {
      text: { format: { type: "json_schema", ...responseSchema, strict: true } },
    }),
    store: false,
    // Models that do not reason refuse it.
    ...(isOpenAiReasoner(model) && { include: ["reasoning.encrypted_content"] }),
  };
  return {
    ...withExtra(body, extraBody),
    model,
    input: request.messages.flatMap(inputItems),
    ...(request.tools.length > 0 && { tools: request.tools.map(functionTool) }),
    ...(stream && { stream: true }),
  };
}

/** Functions are strict here unless told otherwise, and in chat completions only when told so. */
function functionTool(tool: Readonly<Fields>): Fields {
  return { type: "function", strict: false, ...toolParts(tool) };
}

function inputItems(message: ChatMessage): Fields[] {
  if (message.role === "tool") {
    return [{ type: "function_call_output", call_id: message.tool_call_id, output: message.content }];
  }
  if (message.role !== "assistant") {
    return [{ type: "message", role: message.role, content: message.content }];
  }
  const carried = carriedTurn(message, "responses");
  const items = fieldsList(carried?.turn).filter(canGoBack);
  if (carried?.isWhole === true) return items;
  return [...items.filter(({ type }) => type === "reasoning"), ...ownItems(message)];
}

/** Reasoning that is known by its id alone was not stored. */
function canGoBack({ type, encrypted_content: sealed, content }: Fields): boolean {
  return type !== "reasoning" || typeof sealed === "string" || (Array.isArray(content) && content.length > 0);
}

function ownItems({ content, tool_calls: calls = [] }: ChatMessage): Fields[] {
  return [
    ...(content === "" ? [] : [{ type: "message", role: "assistant", content }]),
    ...calls.map(({ id, function: called }) => ({ type: "function_call", call_id: id, ...called })),
  ];
}
