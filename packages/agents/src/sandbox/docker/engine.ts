import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";

/** How long the engine may take for one request, in milliseconds, unless the caller knows better. */
const requestMs = 120_000;

export interface CallOptions {
  /** Default: 2 minutes. */
  ms?: number;
  signal?: AbortSignal | undefined;
}

/**
 * One request to the engine, with a bound: an engine that hangs is a failure and not a wait.
 * @param doing what is tried, for messages: `starting a container`.
 * @throws TracemillError `sandbox-failed`, retryable, whatever goes wrong; the caller's reason when `signal` is given.
 */
export async function callEngine<T>(
  doing: string,
  request: (signal: AbortSignal) => Promise<T>,
  { ms = requestMs, signal }: CallOptions = {},
): Promise<T> {
  signal?.throwIfAborted();
  const late = AbortSignal.timeout(ms);
  const ended = signal === undefined ? late : AbortSignal.any([late, signal]);
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(ended.reason);
  ended.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([request(ended), aborted.promise]);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (late.aborted) throw noAnswer(doing, ms);
    throw engineError(doing, error);
  } finally {
    ended.removeEventListener("abort", onAbort);
  }
}

function noAnswer(doing: string, ms: number): TracemillError {
  const message = `${doing}: Docker's engine gave no answer within ${Math.round(ms / 1_000)} s; see \`tracemill doctor\``;
  return new TracemillError("sandbox-failed", message, { retryable: true });
}

/** What the engine says, in our words. An error of ours stays as it is. */
export function engineError(doing: string, error: unknown): TracemillError {
  if (error instanceof TracemillError) return error;
  const unreachable = ["ECONNREFUSED", "ENOENT", "EACCES", "ECONNRESET", "EPIPE"].includes(codeOf(error));
  const said = engineWords(error);
  const message = unreachable
    ? `${doing}: Docker's engine cannot be reached (${said}); see \`tracemill doctor\``
    : `${doing}: ${said}`;
  return new TracemillError("sandbox-failed", message, { retryable: true, cause: error });
}

/** Whether the engine answered with one of these HTTP statuses. */
export function hasStatus(error: unknown, ...statuses: number[]): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === "number") return statuses.includes(status);
  return error instanceof TracemillError && error.cause !== undefined && hasStatus(error.cause, ...statuses);
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code);
}

/** The engine's own message, without what the client library puts around it. */
export function engineWords(error: unknown): string {
  const said = (error as { json?: { message?: unknown } } | null)?.json?.message;
  return typeof said === "string" ? said.trim() : messageOf(error).trim();
}

/** Whether the engine has an image of that name. */
export async function hasImage(docker: Docker, tag: string): Promise<boolean> {
  try {
    await callEngine("looking for an image", () => docker.getImage(tag).inspect());
    return true;
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw error;
  }
}
