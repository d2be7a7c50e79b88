import { messageOf } from "@tracemill/core/errors.ts";
import { describeBody } from "@tracemill/core/ingest/refusal.ts";
import { isRetryableStatus } from "@tracemill/core/ingest/retry.ts";
import type { Attempt } from "@tracemill/core/models/ask.ts";
import { contextLimit } from "@tracemill/core/models/context-limit.ts";
import { waitAskedFor } from "@tracemill/core/models/wait-hints.ts";
import { fieldsOf } from "@tracemill/core/protocols/fields.ts";
import { isOverflow } from "@tracemill/core/protocols/overflow.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { failureIn, readAnswer } from "@tracemill/core/protocols/read-answer.ts";
import type { Reply } from "./reply.ts";

/** An account without money: 429 or an event in a stream, but no waiting helps. */
const noMoney = /insufficient_quota|billing_hard_limit|credit balance is too low/;

/** Words for a prompt that the provider's rules, not the model, refuse: OpenAI's and Azure's. */
const refusedPrompt = /\b(?:content_filter|invalid_prompt|content_policy_violation)\b/;

/** In a stream, errors that the same request gets again: their types at OpenAI and Anthropic. */
const finalTypes =
  /\b(?:invalid_request(?:_error)?|authentication_error|permission_error|not_found_error|request_too_large|model_not_found)\b/;

/**
 * Judges what came back for one request.
 * @param now milliseconds since the epoch, for dates in headers.
 */
export function judge(outcome: Reply | Error, protocol: ModelProtocol, now: number): Attempt {
  if (outcome instanceof Error) return { kind: "again", reason: `: ${networkReason(outcome)}` };
  const { status, stream } = outcome;
  if (status < 200 || status >= 300) return judgeRefusal(outcome, now);
  if (stream !== undefined && stream.state !== "whole") return judgeBroken(stream);
  return judgeBody(outcome, protocol);
}

function judgeBody({ status, body, text }: Reply, protocol: ModelProtocol): Attempt {
  if (!isObject(body)) return judgeNonsense(status, text);
  const failure = failureIn(protocol, body);
  if (failure !== undefined) return judgeError(body.error ?? failure, ` failed: ${quoted(failure)}`);
  try {
    return { kind: "answered", answer: readAnswer(protocol, body, "") };
  } catch (error) {
    return { kind: "failed", reason: messageOf(error), context: {}, isRetryable: true };
  }
}

/** A provider's own words, as much as a message quotes. */
function quoted(words: string): string {
  return describeBody(words).replace(/^: /, "") || "without a reason";
}

function judgeNonsense(status: number, text: string): Attempt {
  if (!text.trimStart().startsWith("<")) return { kind: "again", reason: ": the answer is not whole JSON" };
  const reason = ` answered HTTP ${status} with a web page. Check the base URL, and what stands between`;
  return { kind: "failed", reason, context: { status }, isRetryable: true };
}

/** Of a stream: what was said until then is no answer. */
function judgeBroken({ state, error }: NonNullable<Reply["stream"]>): Attempt {
  const said = error === undefined ? "" : describeBody(error);
  if (state === "failed") return judgeError(error, ` failed in the middle of its answer${said}`);
  return { kind: "again", reason: `: the answer broke off${said}` };
}

/** An error that came as an answer. */
function judgeError(error: unknown, said: string): Attempt {
  const words = JSON.stringify(error) ?? "";
  const codes = codesOf(error);
  if (refusedPrompt.test(codes)) return refusal(said);
  if (isOverflow(400, words)) return tooLong(said, {});
  if (noMoney.test(words) || finalTypes.test(codes))
    return { kind: "failed", reason: said, context: {}, isRetryable: false };
  return { kind: "again", reason: said };
}

function judgeRefusal({ status, headers, text, body }: Reply, now: number): Attempt {
  const said = ` answered HTTP ${status}${describeBody(body ?? text)}`;
  if (status === 400 && refusedPrompt.test(codesOf(body))) return refusal(said);
  if (isOverflow(status, text)) return tooLong(said, { status });
  if (isRetryableStatus(status) && !noMoney.test(text)) {
    const waitMs = waitAskedFor(status, headers, now);
    const isThrottled = status === 429;
    return { kind: "again", reason: said, isThrottled, ...(waitMs === undefined ? {} : { waitMs }) };
  }
  return { kind: "failed", reason: hinted(said, status), context: { status }, isRetryable: false };
}

/** The provider's rules refused the prompt: that is an answer, as a refusal of the model's own. */
function refusal(said: string): Attempt {
  return { kind: "answered", answer: { text: said.trim(), toolCalls: [], finish: "refusal" } };
}

/** A provider's words for what went wrong, apart from its message, which may quote the prompt. */
function codesOf(error: unknown): string {
  const outer = fieldsOf(error);
  const fields = [
    outer,
    fieldsOf(outer.error),
    fieldsOf(fieldsOf(outer.error).innererror),
    fieldsOf(outer.innererror),
  ];
  return fields.flatMap(({ code, type }) => [code, type]).join(" ");
}

function tooLong(reason: string, context: Record<string, unknown>): Attempt {
  return { kind: "failed", reason, context: { ...context, reason: contextLimit }, isRetryable: false };
}

function hinted(said: string, status: number): string {
  const hint = hintFor(status);
  return hint === undefined ? said : `${said.replace(/\.$/, "")}. ${hint}`;
}

function hintFor(status: number): string | undefined {
  if (status === 401 || status === 403) return "The server wants another API key";
  if (status === 402) return "The account has no money left";
  if (status === 404) return "Check the model's name and the base URL";
  if (status >= 300 && status < 400) return "It redirects; make the address that it names the base URL";
  return undefined;
}

function networkReason(error: Error): string {
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  const first: unknown = Array.isArray(errors) ? errors[0] : error;
  const text = messageOf(first) || error.name;
  return typeof code === "string" && !text.includes(code) ? `${text} (${code})` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
