import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { BudgetMeter } from "@tracemill/core/ports/agent.ts";
import type { ExecResult } from "@tracemill/core/ports/sandbox.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";
import { errorOfCap } from "@tracemill/core/trial/attempt-models.ts";
import type { Explained } from "./program.ts";

/** What was seen of a program's work when it ended. */
export interface Ended {
  program: string;
  result: Pick<ExecResult, "exitCode" | "stdout" | "stderr">;
  /** What its output says of that, for programs whose output can be read. */
  explained: Explained | undefined;
  /** The newest exchange with the model; none where it never asked. */
  last: Pick<HttpExchange, "response" | "error" | "url"> | undefined;
  /** Whether the model has answered at all. */
  answered: boolean;
  budget: Pick<BudgetMeter, "reached">;
  /** The attempt's time is up, or it was told to stop. */
  stopped: boolean;
}

const completed: AgentEnd = { kind: "completed" };

/**
 * How a program's work ended. What the model's server did wrong is not the agent's failure.
 * @throws TracemillError `budget-exceeded`, `model-failed`.
 */
export function endOf({ program, result, explained, last, answered, budget, stopped }: Ended): AgentEnd {
  const { reached } = budget;
  if (reached?.kind === "budget") throw errorOfCap(reached);
  if (reached !== undefined) return failed("turn-limit", reached.reason);
  if (stopped || result.exitCode === 0) return completed;
  if (explained?.limit === true) return failed("turn-limit", explained.reason);
  const said = explained?.reason ?? lastWords(result);
  const problem = `${program} exits with ${result.exitCode}${said === "" ? "" : `: ${said}`}`;
  const refusal = last === undefined ? undefined : refusalOf(last);
  if (refusal === undefined) return failed("error", problem);
  if (refusal.isOverflow) return failed("context-limit", refusal.reason);
  // Refused from its first request on, a program has not begun: model and server are at odds, or the program is.
  if (refusal.isAgents && answered)
    return failed("error", `${problem}; the model's server had said: ${refusal.reason}`);
  throw new TracemillError("model-failed", `${program} stopped: ${refusal.reason}`, {
    retryable: refusal.isRetryable,
  });
}

function failed(failure: "turn-limit" | "context-limit" | "error", reason: string): AgentEnd {
  return { kind: "agent-failed", failure, reason };
}

interface Refusal {
  reason: string;
  isOverflow: boolean;
  /** The request itself was wrong: what the agent sent, not what the server is. */
  isAgents: boolean;
  isRetryable: boolean;
}

/**
 * What providers say when a conversation no longer fits: OpenAI and vLLM (`context_length_exceeded`, `maximum context
 * length`, `exceeds the context window`), Anthropic (`prompt is too long`, `exceed context limit`), llama.cpp
 * (`available context size`).
 */
const overflowWords =
  /context[_ ](?:length|window|limit|size)|maximum model length|prompt is too long|input is too long/i;

/** The server is there and understood, and says that the request is no good. */
const agentsStatuses: ReadonlySet<number> = new Set([400, 413, 422]);

const passingStatuses: ReadonlySet<number> = new Set([408, 409, 425, 429]);

function refusalOf({ response, error, url }: NonNullable<Ended["last"]>): Refusal | undefined {
  if (response === undefined)
    return {
      reason: `${url}: ${error ?? "no answer came"}`,
      isOverflow: false,
      isAgents: false,
      isRetryable: true,
    };
  const { status, body } = response;
  const text = JSON.stringify(body ?? "");
  const isBad = status >= 400 || error !== undefined || hasFailed(body);
  if (!isBad) return undefined;
  const isAgents = agentsStatuses.has(status);
  const detail = error ?? text.slice(0, 500);
  return {
    reason: `${url} answered HTTP ${status}: ${detail}`,
    isOverflow: (isAgents || status < 400) && overflowWords.test(text),
    isAgents,
    isRetryable: status < 400 || status >= 500 || passingStatuses.has(status),
  };
}

/** Streams that began well may tell of an error in an event: `response.failed`, `error`. */
function hasFailed(body: unknown): boolean {
  if (typeof body !== "object" || body === null) return false;
  const events = "_events" in body && Array.isArray(body._events) ? (body._events as unknown[]) : [body];
  return events.some((event) => {
    if (typeof event !== "object" || event === null) return false;
    const { type, status, error, data } = event as Record<string, unknown>;
    if (typeof data === "object" && data !== null) return hasFailed(data);
    return (
      type === "error" ||
      type === "response.failed" ||
      status === "failed" ||
      (type === undefined && error != null)
    );
  });
}

/** The end of what a program said, on one line: its errors, else its output. */
function lastWords({ stderr, stdout }: Ended["result"]): string {
  const text = stderr.trim() === "" ? stdout : stderr;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-5).join("; ").slice(-1_000);
}
