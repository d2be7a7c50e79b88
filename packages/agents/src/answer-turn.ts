import type { Metrics } from "@tracemill/core/atif/trajectory.ts";
import type { ChatMessage, ModelAnswer, ToolCall } from "@tracemill/core/ports/model-client.ts";
import { usageMetrics } from "@tracemill/core/run/usage.ts";
import type { NewStep } from "./trajectory-builder.ts";

/** An answer as the conversation's next message. */
export function assistantMessage(answer: ModelAnswer): ChatMessage {
  const calls = answer.toolCalls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: { name: call.name, arguments: argumentsText(call) },
  }));
  return {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(answer.carry === undefined ? {} : { carry: answer.carry }),
  };
}

/** Always JSON, since servers refuse a conversation that holds anything else; exact where numbers are long. */
function argumentsText({ arguments: parsed, extra }: ToolCall): string {
  const raw = extra?.raw_arguments;
  return typeof raw === "string" ? raw : JSON.stringify(parsed);
}

/** An answer as a step: what was said, thought and called, with the tokens that it took. */
export function answerStep(answer: ModelAnswer): NewStep {
  const metrics = metricsOf(answer);
  return {
    source: "agent",
    message: answer.text,
    ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    ...(answer.toolCalls.length === 0 ? {} : { tool_calls: answer.toolCalls.map(atifCall) }),
    ...(Object.keys(metrics).length === 0 ? {} : { metrics }),
  };
}

function metricsOf({ usage, tokens }: ModelAnswer): Metrics {
  return {
    ...usageMetrics(usage),
    ...(tokens?.prompt === undefined ? {} : { prompt_token_ids: tokens.prompt }),
    ...(tokens?.completion === undefined ? {} : { completion_token_ids: tokens.completion }),
    ...(tokens?.logprobs === undefined ? {} : { logprobs: tokens.logprobs }),
  };
}

function atifCall({ id, name, arguments: args, extra }: ToolCall) {
  return {
    tool_call_id: id,
    function_name: name,
    arguments: args,
    ...(extra === undefined ? {} : { extra }),
  };
}
