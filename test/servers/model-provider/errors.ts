import type { ServerResponse } from "node:http";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import type { Fields } from "./asked.ts";
import type { Fault, StreamEvent } from "./reply.ts";

export interface ProviderError {
  status: number;
  message: string;
  /** The provider's own word for it. Default: as the status has it. */
  type?: string;
  headers?: Record<string, string>;
}

const anthropicTypes: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
};

const bedrockTypes: Record<number, string> = {
  400: "ValidationException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  429: "ThrottlingException",
  500: "InternalServerException",
  503: "ServiceUnavailableException",
};

/** An error in the form of a protocol's provider: as an answer's body, and as an event of a stream. */
export function errorAnswer(
  protocol: ModelProtocol,
  { status, message, type }: ProviderError,
): { body: Fields; event: StreamEvent; headers: Record<string, string> } {
  if (protocol === "converse") {
    const body = { message };
    const name = type ?? bedrockTypes[status] ?? "InternalServerException";
    return { body, event: { event: name, data: body }, headers: { "x-amzn-errortype": name } };
  }
  if (protocol === "messages") {
    const body = { type: "error", error: { type: type ?? anthropicTypes[status] ?? "api_error", message } };
    return { body, event: { event: "error", data: body }, headers: {} };
  }
  const kind = status >= 500 ? "server_error" : "invalid_request_error";
  const body = { error: { message, type: kind, param: null, code: type ?? null } };
  const failed = {
    type: "error",
    code: type ?? "server_error",
    message,
    param: null,
    sequence_number: 1,
  };
  const event = protocol === "responses" ? { event: "error", data: failed } : { data: body };
  return { body, event, headers: {} };
}

/** The whole answer is an error, in the form of the provider that was asked. */
export function providerError(error: ProviderError): Fault {
  return (response: ServerResponse, asked) => {
    const { body, headers } = errorAnswer(asked.protocol, error);
    response.writeHead(error.status, { "content-type": "application/json", ...headers, ...error.headers });
    response.end(JSON.stringify(body));
  };
}
