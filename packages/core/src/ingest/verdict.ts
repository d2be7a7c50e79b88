import { readDemand } from "./demand.ts";
import { parseExact } from "./json.ts";
import { describeBody, quoted } from "./refusal.ts";
import { isRetryableStatus, retryAfterMs } from "./retry.ts";

export interface Answer {
  status: number;
  /** As `parseExact` gives it. */
  body: unknown;
}

/** One HTTP exchange, body read. */
export interface Attempt {
  status: number;
  text: string;
  retryAfter: string | null;
  location: string | null;
}

/** What is to be done about one attempt. */
export type Verdict = { kind: "answer"; answer: Answer } | Setback;

export type Setback =
  | { kind: "refused"; status: number; body: unknown }
  | { kind: "redirect"; location: string }
  | { kind: "again"; reason: string; retryAfter(now: number): number | undefined };

/**
 * Decides what one attempt means.
 * @param expected refusals that the caller wants as an answer.
 */
export function judge(outcome: Attempt | Error, expected: readonly number[]): Verdict {
  if (outcome instanceof Error) {
    return { kind: "again", reason: networkReason(outcome), retryAfter: () => undefined };
  }
  const { status, text } = outcome;
  const body = tryParse(text);
  if (status >= 300 && status < 400 && outcome.location !== null) {
    return { kind: "redirect", location: outcome.location };
  }
  if (status >= 200 && status < 300 && typeof body === "object" && body !== null) {
    return { kind: "answer", answer: { status, body } };
  }
  if (isRetryableStatus(status) && readDemand(body) === undefined) {
    return {
      kind: "again",
      reason: `HTTP ${status}${describeBody(body)}`,
      retryAfter: (now) => retryAfterMs(outcome.retryAfter, now),
    };
  }
  if (status >= 200 && status < 300) {
    return { kind: "again", reason: notJson(text), retryAfter: () => undefined };
  }
  if (expected.includes(status) && readDemand(body) === undefined) {
    return { kind: "answer", answer: { status, body } };
  }
  return { kind: "refused", status, body: body ?? text };
}

function tryParse(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

function notJson(text: string): string {
  if (text.trim() === "") return "the answer is empty";
  const start = quoted(text, 60);
  const from = start === "" ? "" : `\`${start}\``;
  if (text.trimStart().startsWith("<")) return `the answer is a web page, not JSON${from && ` (${from})`}`;
  return `the answer is not whole JSON (${text.length} characters${from && `, from ${from}`})`;
}

function networkReason(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return [error.message, typeof code === "string" ? code : cause?.message].filter(Boolean).join(": ");
}
