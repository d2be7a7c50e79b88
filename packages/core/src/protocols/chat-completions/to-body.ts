import type { ChatMessage, ModelRequest } from "../../ports/model-client.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import { isOpenAiReasoner } from "../openai-models.ts";
import { type BodyOptions, carriedTurn, effortWord, withExtra } from "../request-body.ts";

/** The body of a request to OpenAI's chat completions API and the many that follow it. */
export function chatBody(request: ModelRequest, { model, settings, stream }: BodyOptions): Fields {
  const { maxTokens, temperature, extraBody } = settings;
  const effort = effortWord(settings.reasoningEffort, model);
  const maxName = isOpenAiReasoner(model) ? "max_completion_tokens" : "max_tokens";
  const body = {
    ...(maxTokens !== undefined && { [maxName]: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(effort !== undefined && { reasoning_effort: effort }),
    ...(request.responseSchema !== undefined && {
      response_format: { type: "json_schema", json_schema: { ...request.responseSchema, strict: true } },
    }),
  };
  return {
    ...withExtra(body, extraBody),
    model,
    messages: request.messages.map(chatMessage),
    // An empty list is refused by OpenAI and vLLM.
    ...(request.tools.length > 0 && { tools: request.tools }),
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  };
}

/**
 * Reasoning goes back under the name that it came under; models that reason between calls want to see it. Empty text
 * beside calls is refused by servers that translate to Anthropic's API; null is not.
 */
function chatMessage(message: ChatMessage): Fields {
  const { carry: _, content, reasoning_content: reasoning, ...rest } = message;
  const carried = carriedTurn(message, "chat-completions");
  const isBare = content === "" && message.tool_calls !== undefined;
  return {
    ...rest,
    content: isBare ? null : content,
    ...(carried === undefined
      ? reasoning !== undefined && { reasoning_content: reasoning }
      : fieldsOf(carried.turn)),
  };
}
