import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import type { Context } from "aws-lambda";
import type * as z from "zod";
import { logger } from "./deps.ts";
import { retryableError } from "./error-type.ts";

/** What a function's runtime tells about one invocation, as far as it is used. */
export type Invocation = Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">;

/**
 * A handler: the event is parsed, and an error is logged and put so that the caller can act on it. Lambda gives an
 * error's name as its type: what may pass by itself gets `Tracemill.Retryable`.
 * @param what begins the message about an event that does not fit.
 */
export function handlerOf<S extends z.ZodType, R>(
  what: string,
  schema: S,
  work: (event: z.output<S>, invocation: Invocation) => Promise<R>,
): (event: unknown, context: Context) => Promise<R> {
  return async (event, context) => {
    logger().addContext(context);
    try {
      return await work(parseAs(schema, event, what), context);
    } catch (error) {
      logger().error("failed", {
        reason: messageOf(error),
        code: isTracemillError(error) ? error.code : undefined,
      });
      throw errorForCaller(error);
    }
  };
}

/** What may pass by itself gets the name that the state machine tries again by; everything else stays as it is. */
export function errorForCaller(error: unknown): unknown {
  if (!isTracemillError(error) || !error.retryable) return error;
  const retryable = new Error(error.message, { cause: error });
  retryable.name = retryableError;
  return retryable;
}
