import { isTracemillError, type TracemillError } from "@tracemill/core/errors.ts";

/** Another invocation has the source now and goes on with it. Settings that differ are no such case. */
export function isDisplaced(error: unknown): error is TracemillError {
  return isTracemillError(error, "conflict") && error.context.differing === undefined;
}
