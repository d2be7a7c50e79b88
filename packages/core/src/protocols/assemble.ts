import type { Assembler } from "./assembler.ts";
import { assembleChat } from "./chat-completions/assemble.ts";
import { assembleConverse } from "./converse/assemble.ts";
import { assembleMessages } from "./messages/assemble.ts";
import type { ModelProtocol } from "./protocol.ts";
import { assembleResponses } from "./responses/assemble.ts";

const assemblers: Record<ModelProtocol, () => Assembler> = {
  "chat-completions": assembleChat,
  responses: assembleResponses,
  messages: assembleMessages,
  converse: assembleConverse,
};

/** A new assembler for one streamed answer. */
export function assembler(protocol: ModelProtocol): Assembler {
  return assemblers[protocol]();
}

/** The body of an answer as it is recorded: a stream of events assembled, anything else as it is. */
export function wholeBody(protocol: ModelProtocol, body: unknown): unknown {
  const events = typeof body === "object" && body !== null && "_events" in body ? body._events : undefined;
  if (!Array.isArray(events)) return body;
  const assembled = assembler(protocol);
  for (const event of events) assembled.push(event);
  return assembled.body() ?? (assembled.error === undefined ? undefined : { error: assembled.error });
}
