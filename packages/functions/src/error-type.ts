/** The error type by which the state machine knows what to try again. */
export const retryableError = "Tracemill.Retryable";
