import type { ModelRequest } from "../ports/model-client.ts";
import { chatBody } from "./chat-completions/to-body.ts";
import { converseBody } from "./converse/to-body.ts";
import type { Fields } from "./fields.ts";
import { messagesBody } from "./messages/to-body.ts";
import type { ModelProtocol } from "./protocol.ts";
import type { BodyOptions } from "./request-body.ts";
import { responsesBody } from "./responses/to-body.ts";

const writers = {
  "chat-completions": chatBody,
  responses: responsesBody,
  messages: messagesBody,
  converse: converseBody,
};

/**
 * The body that asks a model for its next turn. What `ChatMessage.carry` holds goes back only where it came from.
 * @throws TracemillError `invalid-spec` for settings that the protocol has no words for.
 */
export function toBody(protocol: ModelProtocol, request: ModelRequest, options: BodyOptions): Fields {
  return writers[protocol](request, options);
}

/** Where a request goes, after the base URL of a `ModelUpstream`. */
export function requestPath(
  protocol: ModelProtocol,
  { model, stream }: Pick<BodyOptions, "model" | "stream">,
): string {
  if (protocol === "chat-completions") return "/chat/completions";
  if (protocol === "responses") return "/responses";
  if (protocol === "messages") return "/v1/messages";
  return `/model/${encodeURIComponent(model)}/converse${stream ? "-stream" : ""}`;
}
