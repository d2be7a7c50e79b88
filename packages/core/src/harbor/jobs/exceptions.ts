import type { AgentFailure, Outcome, Rewards } from "../../run/outcome.ts";

/**
 * Harbor's exceptions and our outcomes. The classes and their causes are those of Harbor 0.25's error policy
 * (`models/trial/error_policy.py`): only what the agent itself brought about leaves a reward that counts. A class that
 * it does not know is `unclassified` there, its reward not valid: here the environment failed.
 */

type Failed = Exclude<Outcome, { kind: "scored" }>["kind"];

const sandboxFailures = [
  "EnvironmentStartTimeoutError",
  "SandboxBuildFailedError",
  "AgentSetupTimeoutError",
  "HealthcheckError",
  "SandboxLikelyOutOfMemoryError",
  "MemoryLimitExceededError",
  "SSHAccessError",
  "GKEExecStreamClosedError",
  "GKEPodNotFoundError",
  "RuntimeRequestError",
  "AddTestsDirError",
  "DownloadVerifierDirError",
  "ServiceOperationsUnsupportedError",
  "VercelScopeError",
  "DspyImportError",
  "MissingExtraError",
  "RegradeError",
  // Unclassified in Harbor: its agent's program ended with an error, for whatever reason.
  "NonZeroAgentExitCodeError",
];

const modelFailures = [
  "ApiError",
  "ApiRateLimitError",
  "ApiInternalServerError",
  "ApiOverloadedError",
  "ApiConnectionClosedError",
  "ApiResponseStalledError",
  "UnknownApiError",
  "NetworkConnectionError",
  "ApiConnectionError",
  "ApiUsageLimitError",
  "RateLimitError",
  "InternalServerError",
  "ServiceUnavailableError",
  "APIConnectionError",
  "APIError",
  "Timeout",
  "BadRequestError",
  "UnprocessableEntityError",
  "UnsupportedParamsError",
  "APIResponseValidationError",
  "AgentAuthenticationError",
  "ModelNotFoundError",
  "ApiProviderResourceNotFoundError",
  "AuthenticationError",
  "PermissionDeniedError",
  "NotFoundError",
];

const verifierFailures = [
  "VerifierTimeoutError",
  "RewardFileNotFoundError",
  "RewardFileEmptyError",
  "VerifierOutputParseError",
];

/** What the agent did. The first class of a failure is the one that we write for it. */
const agentFailures: Record<AgentFailure, readonly string[]> = {
  timeout: ["AgentTimeoutError"],
  "context-limit": ["ContextWindowExceededError", "ContextLengthExceededError"],
  "output-limit": ["OutputTokenExceededError", "OutputLengthExceededError"],
  refusal: ["AgentSafetyRefusalError", "ContentPolicyViolationError"],
  // Harbor has no class of its own for these two.
  "turn-limit": ["AgentTurnLimitError"],
  error: ["AgentError"],
};

/** The class that we write for a failure that Harbor has many classes for. */
const written: Record<Exclude<Failed, "agent-failed">, string> = {
  "environment-failed": "EnvironmentFailedError",
  "model-failed": "ModelFailedError",
  "verifier-failed": "VerifierFailedError",
  cancelled: "CancelledError",
  "budget-exceeded": "BudgetExceededError",
};

/** An environment that no other attempt would find better. */
const permanentFailure = "InvalidTaskError";

type Meaning = { kind: Exclude<Failed, "agent-failed"> } | { kind: "agent-failed"; failure: AgentFailure };

const meanings = new Map<string, Meaning>([
  ...Object.entries(agentFailures).flatMap(([failure, types]) =>
    types.map((type): [string, Meaning] => [
      type,
      { kind: "agent-failed", failure: failure as AgentFailure },
    ]),
  ),
  ...listed("environment-failed", [...sandboxFailures, permanentFailure]),
  ...listed("model-failed", modelFailures),
  ...listed("verifier-failed", verifierFailures),
  ...listed("cancelled", ["KeyboardInterrupt"]),
  ...listed("budget-exceeded", []),
]);

function listed(kind: Exclude<Failed, "agent-failed">, types: readonly string[]): [string, Meaning][] {
  return [written[kind], ...types].map((type) => [type, { kind }]);
}

/** Longest reason that is kept: rows of the record store hold it too. */
const reasonCharacters = 4_000;

export interface TrialException {
  type: string;
  message: string;
}

/** The outcome that an exception of Harbor's stands for. @param rewards what the verifier gave, if it ran. */
export function outcomeOfException({ type, message }: TrialException, rewards: Rewards | undefined): Outcome {
  const meaning: Meaning = meanings.get(type) ?? { kind: "environment-failed" };
  const plain = type === permanentFailure || type === writtenFor(meaning);
  const reason = shortened(message === "" ? type : plain ? message : `${type}: ${message}`);
  if (meaning.kind === "agent-failed") return { ...meaning, reason, rewards: rewards ?? {} };
  const graded =
    rewards === undefined ? "" : ` (graded all the same, which does not count: ${JSON.stringify(rewards)})`;
  const outcome = { kind: meaning.kind, reason: `${reason}${graded}` };
  return type === permanentFailure ? { ...outcome, kind: "environment-failed", permanent: true } : outcome;
}

/** How an outcome is said in Harbor: the other way round, so that it reads back as the same outcome. */
export function exceptionOfOutcome(outcome: Outcome): TrialException | undefined {
  if (outcome.kind === "scored") return undefined;
  const { reason } = outcome;
  if (outcome.kind === "environment-failed" && outcome.permanent)
    return { type: permanentFailure, message: reason };
  const [, type = "", message = ""] = /^(\w+): (\S[\s\S]*)$/.exec(reason) ?? [];
  // A reason that an import made of a class and its message is taken apart again.
  const meaning = type === permanentFailure ? undefined : meanings.get(type);
  if (meaning !== undefined && sameMeaning(meaning, outcome) && type !== writtenFor(meaning))
    return { type, message };
  return { type: writtenFor(outcome), message: reason };
}

function sameMeaning(meaning: Meaning, outcome: Meaning): boolean {
  if (meaning.kind !== "agent-failed" || outcome.kind !== "agent-failed")
    return meaning.kind === outcome.kind;
  return meaning.failure === outcome.failure;
}

function writtenFor(meaning: Meaning): string {
  if (meaning.kind !== "agent-failed") return written[meaning.kind];
  return agentFailures[meaning.failure][0] ?? "AgentError";
}

function shortened(reason: string): string {
  const half = reasonCharacters / 2;
  return reason.length <= reasonCharacters ? reason : `${reason.slice(0, half)}\n[…]\n${reason.slice(-half)}`;
}
