import { parseTrajectory, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { sessionToTrajectory } from "@tracemill/core/capture/to-atif.ts";
import type { ChatMessage, Exchange } from "@tracemill/core/ports/model-client.ts";
import type { Fields } from "@tracemill/core/protocols/fields.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { readAnswer } from "@tracemill/core/protocols/read-answer.ts";
import { toBody } from "@tracemill/core/protocols/to-body.ts";
import { readAsked } from "../servers/model-provider/asked.ts";
import { renderChat } from "../servers/model-provider/chat.ts";
import { renderConverse } from "../servers/model-provider/converse.ts";
import { renderMessages } from "../servers/model-provider/messages.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { renderResponses } from "../servers/model-provider/responses.ts";

/** The tools of all clients that are not told otherwise. */
export const tools = [
  { type: "function", function: { name: "bash", description: "Runs.", parameters: { type: "object" } } },
];
const renderers = {
  "chat-completions": renderChat,
  responses: renderResponses,
  messages: renderMessages,
  converse: renderConverse,
};

/** A client of a protocol: asks with its whole conversation, and keeps what it was answered, as a proxy saw it. */
export class CapturedClient {
  static number = 1;
  readonly exchanges: HttpExchange[] = [];
  messages: ChatMessage[] = [];
  readonly #protocol: ModelProtocol;
  readonly #tools: typeof tools;
  #calls = 0;

  constructor(protocol: ModelProtocol, messages: ChatMessage[], options: { tools?: typeof tools } = {}) {
    this.#protocol = protocol;
    this.#tools = options.tools ?? tools;
    this.messages = messages;
  }

  /** One exchange; its answer and what its calls gave go into the conversation. */
  ask(reply: ModelReply, change: (exchange: HttpExchange) => HttpExchange = (exchange) => exchange): void {
    const number = CapturedClient.number++;
    const model = "claude-opus-4-7";
    const body = toBody(
      this.#protocol,
      { messages: this.messages, tools: this.#tools, signal: new AbortController().signal },
      { model, settings: {}, stream: true },
    );
    const path = `/model/${model}/converse-stream`;
    const asked = readAsked(this.#protocol, {
      method: "POST",
      path,
      headers: {},
      rawBody: JSON.stringify(body),
    });
    const rendered = renderers[this.#protocol](reply, { asked, number, deltaChars: 7 });
    const events = rendered.events.map(({ event = "", data }) =>
      this.#protocol === "converse" ? { [event]: data } : data,
    );
    const exchange = change(this.#exchange(body, { _events: events }, number));
    this.exchanges.push(exchange);
    if (exchange.error === undefined && exchange.response?.status === 200) this.#hear(rendered.body);
  }

  say(content: string): void {
    this.messages = [...this.messages, { role: "user", content }];
  }

  #exchange(request: Fields, response: Fields, number: number): HttpExchange {
    const at = (seconds: number): string => new Date(1_700_000_000_000 + seconds * 1_000).toISOString();
    return {
      kind: "http",
      id: `x${number}`,
      sessionId: "s",
      startedAt: at(number * 2),
      endedAt: at(number * 2 + 1),
      method: "POST",
      url: "https://here/model/claude-opus-4-7/converse-stream",
      protocol: this.#protocol,
      request: { headers: {}, body: JSON.parse(JSON.stringify(request)) as unknown },
      response: { status: 200, headers: {}, body: JSON.parse(JSON.stringify(response)) as unknown },
    };
  }

  #hear(body: Fields): void {
    const answer = readAnswer(this.#protocol, body, "here");
    this.messages = [
      ...this.messages,
      {
        role: "assistant",
        content: answer.text,
        ...(answer.toolCalls.length > 0 && {
          tool_calls: answer.toolCalls.map(({ id, name, arguments: args }) => ({
            id,
            type: "function" as const,
            function: { name, arguments: JSON.stringify(args) },
          })),
        }),
        ...(answer.carry !== undefined && { carry: answer.carry }),
      },
      ...answer.toolCalls.map(({ id }) => ({
        role: "tool" as const,
        tool_call_id: id,
        content: `output ${++this.#calls}`,
      })),
    ];
  }
}

/** A conversation's beginning. */
export const begin: ChatMessage[] = [
  { role: "system", content: "You work in a shell." },
  { role: "user", content: "Make the tests pass." },
];

/** A reply that calls the shell. */
export function call(command: string): ModelReply {
  return {
    reasoning: `I want ${command}.`,
    text: `Now ${command}.`,
    toolCalls: [{ name: "bash", arguments: { command } }],
  };
}

/** The exchanges as a checked trajectory. */
export function converted(exchanges: readonly (HttpExchange | Exchange)[]): Trajectory {
  return parseTrajectory(sessionToTrajectory(exchanges, { name: "agent", version: "1" }), "the session");
}

/** Who says what, step by step; `*` marks copied context. */
export function outline({ steps }: Trajectory): string[] {
  return steps.map(
    ({ source, message, is_copied_context: copied }) => `${source}${copied ? "*" : ""}: ${String(message)}`,
  );
}
