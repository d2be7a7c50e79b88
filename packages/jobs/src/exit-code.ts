import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";

/** How a job ends, with its last words. */
export interface JobEnd {
  exitCode: number;
  /** Absent when all is done. */
  reason?: string;
  /** Of an error that nobody expected. */
  stack?: string;
}

/**
 * The exit code for what a job threw, by which its definition's retry strategy decides: interruptions, and failures
 * that may pass by themselves (throttled storage, a registry that is busy), are tried again.
 * @param interrupted whether the job was told to stop.
 */
export function endOfError(error: unknown, interrupted: boolean): JobEnd {
  const reason = messageOf(error);
  if (interrupted) return { exitCode: jobExit.interrupted, reason };
  if (isTracemillError(error)) {
    return { exitCode: error.retryable ? jobExit.interrupted : jobExit.failed, reason };
  }
  const stack = error instanceof Error ? error.stack : undefined;
  return { exitCode: jobExit.failed, reason: `internal error: ${reason}`, ...(stack && { stack }) };
}
