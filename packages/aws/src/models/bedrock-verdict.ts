import { messageOf } from "@tracemill/core/errors.ts";
import type { Attempt } from "@tracemill/core/models/ask.ts";
import { contextLimit } from "@tracemill/core/models/context-limit.ts";
import { waitAskedFor } from "@tracemill/core/models/wait-hints.ts";
import { isOverflow } from "@tracemill/core/protocols/overflow.ts";
import { awsError, isAwsError, isPassing, statusOf } from "../errors.ts";

/** The request may be as it is; the model, or the service, could not do it just now. */
const passing = [
  "ModelErrorException",
  "ModelNotReadyException",
  "ModelTimeoutException",
  "ModelStreamErrorException",
  "InternalServerException",
  "ServiceUnavailableException",
] as const;

/**
 * Judges what the SDK threw.
 * @param now milliseconds since the epoch, for dates in headers.
 */
export function judgeError(error: unknown, now: number): Attempt {
  const said = wordsOf(error);
  if (isAwsError(error, "ValidationException") && isOverflow(400, messageOf(error))) return tooLong(said);
  const status = statusOf(error);
  if (isPassing(error) || isAwsError(error, ...passing) || status === 429 || status === 424) {
    const waitMs = waitAskedFor(status ?? 0, headersOf(error), now);
    return {
      kind: "again",
      reason: said,
      isThrottled: status === 429,
      ...(waitMs === undefined ? {} : { waitMs }),
    };
  }
  return { kind: "failed", reason: hinted(error, said), context: { status }, isRetryable: false };
}

/** Judges an error that came in the stream, as the assembler has it. */
export function judgeStreamError(error: unknown): Attempt {
  const { type, message } = error as { type?: unknown; message?: unknown };
  const said = ` failed in the middle of its answer: ${String(type)}: ${String(message ?? "no reason given")}`;
  if (type !== "validationException") return { kind: "again", reason: said };
  if (isOverflow(400, String(message))) return tooLong(said);
  return { kind: "failed", reason: said, context: {}, isRetryable: false };
}

function tooLong(reason: string): Attempt {
  return { kind: "failed", reason, context: { reason: contextLimit, status: 400 }, isRetryable: false };
}

function wordsOf(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  return `: ${name === "" || name === "Error" ? "" : `${name}: `}${messageOf(error)}`;
}

/** Headers of the answer that the SDK could not use. */
function headersOf(error: unknown): Record<string, string> {
  const { $response: response } = error as { $response?: { headers?: Record<string, string> } };
  return response?.headers ?? {};
}

function hinted(error: unknown, said: string): string {
  if (isAwsError(error, "AccessDeniedException")) {
    const action = "bedrock:InvokeModelWithResponseStream";
    return `${said}. Allow ${action} on the model to whoever this runs as, and see that the account has access to the model`;
  }
  if (isAwsError(error, "ResourceNotFoundException", "ValidationException"))
    return `${said}. Check the model's id and the region; many models are reached by an inference profile (us., eu., global.) alone`;
  return `: ${awsError(error, { doing: "asking the model", action: "bedrock:InvokeModelWithResponseStream" }).message}`;
}
