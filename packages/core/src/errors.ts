/**
 * The one error type. Decide by `code`, never by message.
 *
 * A message names the file or field and says what to do next. `retryable` says whether the same call may
 * succeed later without anybody changing anything.
 */
export type ErrorCode =
  | "invalid-input"
  | "invalid-spec"
  | "invalid-task"
  | "invalid-trajectory"
  | "invalid-archive"
  | "invalid-reward"
  | "reward-missing"
  | "unauthorized"
  | "source-unavailable"
  | "source-protocol"
  | "not-found"
  | "conflict"
  | "lease-lost"
  | "storage-full"
  | "storage-failed"
  | "storage-corrupt"
  | "store-newer"
  | "sandbox-unavailable"
  | "sandbox-failed"
  | "unsupported"
  | "model-failed"
  | "budget-exceeded"
  | "turn-limit"
  | "cancelled"
  | "timeout";

export interface ErrorOptions {
  retryable?: boolean;
  context?: Record<string, unknown>;
  cause?: unknown;
}

export class TracemillError extends Error {
  override readonly name = "TracemillError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly context: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.context = options.context ?? {};
  }
}

/** True for a `TracemillError` with one of the given codes (any code when none is given). */
export function isTracemillError(error: unknown, ...codes: ErrorCode[]): error is TracemillError {
  return error instanceof TracemillError && (codes.length === 0 || codes.includes(error.code));
}

/** The message of whatever was thrown, for records and logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
