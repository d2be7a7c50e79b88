import { messageOf } from "../../errors.ts";
import type { Exchange, RecordedExchange } from "../../ports/model-client.ts";
import { assembler } from "../../protocols/assemble.ts";
import { type Fields, fieldsOf, textIn } from "../../protocols/fields.ts";
import { modelOf } from "../../protocols/model-name.ts";
import type { ModelProtocol } from "../../protocols/protocol.ts";
import { failureIn, readAnswer } from "../../protocols/read-answer.ts";
import { usageOf } from "../../protocols/usage.ts";
import type { Usage } from "../../run/trial.ts";
import type { HttpExchange } from "../http-exchange.ts";

/** What one exchange says of a request to a model, whoever recorded it. */
export interface ModelCall {
  protocol: ModelProtocol;
  /** The exchange's, where it has one. */
  id?: string;
  startedAt: string;
  endedAt: string;
  request: Fields;
  model?: string;
  /** A whole answer, or why there is none. */
  outcome: { answer: Fields; usage?: Usage; tokens?: Tokens } | { failure: string; status?: number };
}

type Tokens = Exchange["answer"]["tokens"];

/** @returns undefined for exchanges with something else than a model. */
export function modelCallOf(exchange: RecordedExchange): ModelCall | undefined {
  return "kind" in exchange ? httpCall(exchange) : ownCall(exchange);
}

function httpCall(exchange: HttpExchange): ModelCall | undefined {
  const { protocol, id, startedAt, endedAt, url } = exchange;
  if (protocol === undefined) return undefined;
  const request = fieldsOf(exchange.request.body);
  const outcome = outcomeOf(protocol, exchange);
  const answer = "answer" in outcome ? outcome.answer : undefined;
  const model = exchange.model ?? modelOf(protocol, { path: url, request, answer });
  return { protocol, id, startedAt, endedAt, request, ...(model !== undefined && { model }), outcome };
}

function outcomeOf(protocol: ModelProtocol, exchange: HttpExchange): ModelCall["outcome"] {
  const { response, error } = exchange;
  if (response === undefined) return { failure: error ?? "no answer came" };
  const { status } = response;
  if (status < 200 || status >= 300) return { failure: error ?? `HTTP ${status}`, status };
  const { answer, brokenBy } = wholeAnswer(protocol, response.body);
  const failure = error ?? brokenBy ?? failureIn(protocol, answer);
  if (failure !== undefined || answer === undefined) return { failure: failure ?? "no answer came", status };
  try {
    const { tokens } = readAnswer(protocol, answer, "the exchange");
    const usage = exchange.usage ?? usageOf(protocol, answer);
    return { answer, ...(usage !== undefined && { usage }), ...(tokens !== undefined && { tokens }) };
  } catch (cause) {
    return { failure: messageOf(cause), status };
  }
}

function wholeAnswer(protocol: ModelProtocol, body: unknown): { answer?: Fields; brokenBy?: string } {
  const events = fieldsOf(body)._events;
  if (!Array.isArray(events)) {
    const answer = fieldsOf(body);
    return Object.keys(answer).length === 0 ? {} : { answer };
  }
  const assembled = assembler(protocol);
  for (const event of events) assembled.push(event);
  const answer = assembled.body();
  if (assembled.state === "whole" && answer !== undefined) return { answer };
  const said = fieldsOf(assembled.error).message ?? assembled.error;
  return {
    brokenBy:
      assembled.state === "failed" ? `the model failed: ${JSON.stringify(said)}` : "the stream broke off",
  };
}

/** An exchange of one of our own agents: a chat, whatever the provider speaks. */
function ownCall({ startedAt, endedAt, model, request, answer }: Exchange): ModelCall {
  const message = {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning !== undefined && { reasoning_content: answer.reasoning }),
    ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls.map(callOf) }),
  };
  return {
    protocol: "chat-completions",
    startedAt,
    endedAt,
    request: { messages: request.messages, tools: request.tools },
    model,
    outcome: {
      answer: { choices: [{ message, finish_reason: answer.finish === "length" ? "length" : null }] },
      ...(answer.usage !== undefined && { usage: answer.usage }),
      ...(answer.tokens !== undefined && { tokens: answer.tokens }),
    },
  };
}

/** The text that the model wrote, where the object cannot say it. */
function callOf({ id, name, arguments: args, extra = {} }: Exchange["answer"]["toolCalls"][number]): Fields {
  const raw = extra.arguments_not_object === true ? args._raw : undefined;
  return {
    id,
    type: "function",
    function: { name, arguments: (textIn(extra.raw_arguments) || raw) ?? args },
  };
}
