import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import { describeBody } from "@tracemill/core/ingest/refusal.ts";
import { isRetryableStatus } from "@tracemill/core/ingest/retry.ts";
import { isBrokenOff, type ReadAnswer, readAnswer } from "./chat-answer.ts";
import type { HttpAnswer } from "./http-post.ts";

/** What is to be done about one request: its answer, another try, or nothing that would help. */
export type Verdict =
  | ReadAnswer
  | { again: string }
  | { failed: string; context: Record<string, unknown>; retryable: boolean };

/**
 * What servers say when a conversation no longer fits: OpenAI and vLLM (`context_length_exceeded`, `maximum context
 * length`, `maximum model length`), SGLang (`context length`), llama.cpp (`available context size`), TGI
 * (`max_new_tokens`), and the compatible APIs of Anthropic (`prompt is too long`) and Gemini (`input token count`).
 */
const overflowWords =
  /context[_ ](?:length|size|window)|maximum model length|prompt is too long|input token count|`?max_new_tokens`? must be/i;

/** A conversation that does not fit is one of these; 429 and 5xx with such words are something else. */
const overflowStatuses: ReadonlySet<number> = new Set([400, 413, 422]);

/** OpenAI's word for an account without money: 429, but no waiting helps. */
const noMoney = /insufficient_quota/;

const contextLimit = "context-limit";

/** Whether a model refused because the conversation is longer than it can take. */
export function isContextLimit(error: unknown): boolean {
  return isTracemillError(error, "model-failed") && error.context.reason === contextLimit;
}

/** Judges what came back for one request. @param where names the model and its server, for messages. */
export function judge(outcome: HttpAnswer | Error, where: string): Verdict {
  if (outcome instanceof Error) return { again: `${where}: ${networkReason(outcome)}` };
  const { status, text } = outcome;
  const body = parseJson(text);
  if (status < 200 || status >= 300) return judgeRefusal(status, text, body, where);
  if (!isObject(body)) return { again: `${where}: the answer is not whole JSON` };
  // Routers answer 200 with an error inside when the server behind them failed.
  if (isObject(body.error) && body.choices === undefined)
    return { again: `${where} failed${describeBody(body)}` };
  if (isBrokenOff(body)) return { again: `${where}: the server broke the answer off` };
  try {
    return readAnswer(body, where);
  } catch (error) {
    return { failed: messageOf(error), context: {}, retryable: true };
  }
}

function judgeRefusal(status: number, text: string, body: unknown, where: string): Verdict {
  const said = `${where} answered HTTP ${status}${describeBody(body ?? text)}`;
  if (overflowStatuses.has(status) && overflowWords.test(text))
    return { failed: said, context: { reason: contextLimit, status }, retryable: false };
  if (isRetryableStatus(status) && !noMoney.test(text)) return { again: said };
  return { failed: said + hintFor(status), context: { status }, retryable: false };
}

function hintFor(status: number): string {
  if (status === 401 || status === 403) return ". The server wants another API key";
  if (status === 404) return ". Check the model's name, and that the base URL ends before /chat/completions";
  if (status >= 300 && status < 400) return ". It redirects; make the address that it names the base URL";
  return "";
}

function networkReason(error: Error): string {
  const { code } = error as { code?: unknown };
  const text = error.message === "" ? error.name : error.message;
  return typeof code === "string" && !text.includes(code) ? `${text} (${code})` : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
