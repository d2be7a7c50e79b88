import type { Fields } from "./fields.ts";
import type { ModelProtocol } from "./protocol.ts";

export interface ErrorAnswer {
  body: Fields;
  /** Beside `content-type: application/json`. */
  headers: Record<string, string>;
}

/** Anthropic's error types by status (docs.claude.com/en/api/errors). */
const anthropicTypes = new Map([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
]);

/** Bedrock's exceptions by status (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html). */
const bedrockTypes = new Map([
  [400, "ValidationException"],
  [403, "AccessDeniedException"],
  [404, "ResourceNotFoundException"],
  [408, "ModelTimeoutException"],
  [424, "ModelErrorException"],
  [429, "ThrottlingException"],
  [503, "ServiceUnavailableException"],
]);

/** OpenAI's error types by status. */
const openAiTypes = new Map([
  [401, "authentication_error"],
  [403, "permission_error"],
  [429, "rate_limit_error"],
]);

/**
 * An error as the protocol's provider words it, so that its clients understand it.
 * @param code OpenAI's further word (`insufficient_quota`), or in place of the status's own type for the others.
 */
export function errorBody(
  protocol: ModelProtocol,
  { status, message, code }: { status: number; message: string; code?: string },
): ErrorAnswer {
  if (protocol === "converse") {
    const type = code ?? bedrockTypes.get(status) ?? "InternalServerException";
    return { body: { message }, headers: { "x-amzn-errortype": type } };
  }
  if (protocol === "messages") {
    const type = code ?? anthropicTypes.get(status) ?? (status < 500 ? "invalid_request_error" : "api_error");
    return { body: { type: "error", error: { type, message } }, headers: {} };
  }
  const type = openAiTypes.get(status) ?? (status < 500 ? "invalid_request_error" : "server_error");
  return { body: { error: { message, type, param: null, code: code ?? null } }, headers: {} };
}
