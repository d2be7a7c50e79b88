import type { Retrier } from "./language.ts";

/**
 * How a function says that the same call may succeed later: the name of the error that it throws. Everything
 * else that a handler throws is final.
 */
export const retryableError = "Tracemill.Retryable";

/** Lambda's own troubles and a handler's passing ones: 1, 2, 4 … 60 s apart, about three minutes in all. */
export const functionRetries: readonly Retrier[] = [
  {
    ErrorEquals: [
      "Lambda.ClientExecutionTimeoutException",
      "Lambda.ServiceException",
      "Lambda.AWSLambdaException",
      "Lambda.SdkClientException",
      "Lambda.TooManyRequestsException",
      retryableError,
    ],
    IntervalSeconds: 1,
    MaxAttempts: 8,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    JitterStrategy: "FULL",
  },
];

/**
 * A function that ran out of time or memory. Its step is not at fault: a job, which has more of both, goes on
 * with it. `Lambda.Unknown` is how older runtimes report the same.
 */
export const outgrown = [
  "Sandbox.Timedout",
  "Runtime.ExitError",
  "Runtime.OutOfMemory",
  "Lambda.Unknown",
] as const;

/**
 * Submitting a job: Batch takes about 50 a second, and a map may want 10,000 at once, so that the last ones
 * wait some minutes. A job that was submitted and failed is not among these; its definition decides on retries.
 */
export const submitRetries: readonly Retrier[] = [
  {
    ErrorEquals: [
      "Batch.ServerException",
      "Batch.TooManyRequestsException",
      "Batch.AWSBatchException",
      "Batch.BatchException",
      "Batch.SdkClientException",
    ],
    IntervalSeconds: 10,
    MaxAttempts: 12,
    BackoffRate: 2,
    MaxDelaySeconds: 300,
    JitterStrategy: "FULL",
  },
];

/** Reading a map's list, before any of its items has begun. */
export const readerRetries: readonly Retrier[] = [
  {
    ErrorEquals: ["States.ItemReaderFailed"],
    IntervalSeconds: 2,
    MaxAttempts: 5,
    BackoffRate: 2,
    MaxDelaySeconds: 30,
    JitterStrategy: "FULL",
  },
];
