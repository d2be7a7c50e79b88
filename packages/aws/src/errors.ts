import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";

/** What a call to AWS was for, so that its failure can say what to do. */
export interface AwsCall {
  /** Begins the message: `reading s3://bucket/key`. */
  doing: string;
  /** The IAM action that it needs: `s3:GetObject`. */
  action: string;
}

const throttled = new Set([
  "SlowDown",
  "ServiceUnavailable",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

/** S3 and SQS answer these while another call for the same thing is under way. */
const inTheWay = new Set(["ConditionalRequestConflict", "OperationAborted"]);

const network = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

const noCredentials = new Set([
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "IncompleteSignature",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "RequestExpired",
  "SignatureDoesNotMatch",
  "TokenProviderError",
  "UnrecognizedClientException",
]);

const denied = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "AuthorizationError",
  "KMSAccessDeniedException",
]);

/** True for an error of the SDK with one of these names (`NoSuchKey`, `ConditionalCheckFailedException`). */
export function isAwsError(error: unknown, ...names: string[]): error is Error {
  return error instanceof Error && names.includes(error.name);
}

/** The HTTP status that AWS answered with, where there was an answer. */
export function statusOf(error: unknown): number | undefined {
  return metadataOf(error)?.httpStatusCode;
}

/** How often a call was sent before it came to this error or answer. */
export function attemptsOf(sent: unknown): number {
  return metadataOf(sent)?.attempts ?? 1;
}

function metadataOf(sent: unknown): { httpStatusCode?: number; attempts?: number } | undefined {
  if (typeof sent !== "object" || sent === null || !("$metadata" in sent)) return undefined;
  return sent.$metadata ?? undefined;
}

/** Whether the same call may succeed later with nobody changing anything. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isTracemillError(error)) return error.retryable;
  if (throttled.has(error.name) || inTheWay.has(error.name) || error.name === "TimeoutError") return true;
  return isNetwork(error) || (statusOf(error) ?? 0) >= 500;
}

function isNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return network.has(error.name) || ("code" in error && network.has(String(error.code)));
}

/** What was said: the error's name where it has one, else the status of an answer that is not AWS's. */
function wordsOf(error: unknown, name: string): string {
  const status = statusOf(error);
  const isNamed = name !== "" && name !== "Error" && name !== "Unknown";
  const head = isNamed ? `${name}: ` : status === undefined ? "" : `HTTP ${status}: `;
  // The SDK adds advice for programmers to what it cannot parse.
  const [line] = messageOf(error).split("\n");
  return `${head}${line}`;
}

/**
 * Says what a failed call means: `storage-failed` (retryable when it may pass by itself), `unauthorized` with the
 * IAM action that is missing or how to get credentials, `invalid-input` without a region. Errors of our own pass.
 */
export function awsError(error: unknown, { doing, action }: AwsCall): TracemillError {
  if (isTracemillError(error)) return error;
  const name = error instanceof Error ? error.name : "";
  const said = wordsOf(error, name);
  if (denied.has(name) || (statusOf(error) === 403 && !noCredentials.has(name))) {
    const remedy = `allow ${action} to whoever this runs as`;
    return new TracemillError("unauthorized", `${doing}: AWS refused (${said}); ${remedy}`, { cause: error });
  }
  if (noCredentials.has(name)) {
    const remedy = "sign in (`aws sso login`), or set AWS_PROFILE to a profile that works";
    return new TracemillError("unauthorized", `${doing}: no valid credentials (${said}); ${remedy}`, {
      cause: error,
    });
  }
  if (/^Region is missing$/.test(messageOf(error))) {
    return new TracemillError("invalid-input", `${doing}: no region is set; set AWS_REGION`, {
      cause: error,
    });
  }
  const retryable = isPassing(error);
  const after = attemptsOf(error) > 1 ? ` after ${attemptsOf(error)} attempts` : "";
  const unreached = isNetwork(error) || messageOf(error) === "Invalid URL";
  const elsewhere = "check the network, AWS_REGION, and AWS_ENDPOINT_URL where it is set";
  const hint = unreached ? `; ${elsewhere}` : retryable ? "; it may work later" : "";
  return new TracemillError("storage-failed", `${doing}: ${said}${after}${hint}`, {
    retryable,
    cause: error,
  });
}
