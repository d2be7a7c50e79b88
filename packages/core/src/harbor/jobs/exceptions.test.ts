import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentFailure, Outcome, type Rewards } from "../../run/outcome.ts";
import { exceptionOfOutcome, outcomeOfException } from "./exceptions.ts";

const graded: Rewards = { reward: 0 };

describe("an exception of Harbor's", () => {
  test.each([
    ["AgentTimeoutError", "timeout"],
    ["ContextWindowExceededError", "context-limit"],
    ["ContextLengthExceededError", "context-limit"],
    ["OutputTokenExceededError", "output-limit"],
    ["OutputLengthExceededError", "output-limit"],
    ["AgentSafetyRefusalError", "refusal"],
    ["ContentPolicyViolationError", "refusal"],
  ])("that the agent brought about, %s, keeps the reward", (type, failure) => {
    expect(outcomeOfException({ type, message: "m" }, graded)).toMatchObject({
      kind: "agent-failed",
      failure,
      rewards: { reward: 0 },
    });
  });

  test("that the agent brought about has no reward where nothing was graded", () => {
    const outcome = outcomeOfException({ type: "AgentTimeoutError", message: "after 60 s" }, undefined);
    expect(outcome).toEqual({ kind: "agent-failed", failure: "timeout", reason: "after 60 s", rewards: {} });
  });

  test.each([
    ["EnvironmentStartTimeoutError", "environment-failed"],
    ["AgentSetupTimeoutError", "environment-failed"],
    ["NonZeroAgentExitCodeError", "environment-failed"],
    ["SomethingNobodyKnows", "environment-failed"],
    ["ApiRateLimitError", "model-failed"],
    ["AuthenticationError", "model-failed"],
    ["RewardFileNotFoundError", "verifier-failed"],
    ["VerifierTimeoutError", "verifier-failed"],
    ["CancelledError", "cancelled"],
    ["BudgetExceededError", "budget-exceeded"],
  ])("of another cause, %s, is %s and never a reward", (type, kind) => {
    const outcome = outcomeOfException({ type, message: "m" }, graded);
    expect(outcome.kind).toBe(kind);
    expect(outcome).not.toHaveProperty("rewards");
    expect(outcome).toHaveProperty("reason", expect.stringContaining('does not count: {"reward":0}'));
  });

  test("without a message is told by its class, and a long one is cut in its middle", () => {
    expect(outcomeOfException({ type: "HealthcheckError", message: "" }, undefined)).toHaveProperty(
      "reason",
      "HealthcheckError",
    );
    const { reason } = outcomeOfException({ type: "ApiError", message: "x".repeat(50_000) }, undefined) as {
      reason: string;
    };
    expect(reason.length).toBeLessThan(4_100);
  });
});

const name = fc.stringMatching(/^[a-z]{1,8}$/);
const rewards = fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true }), { minKeys: 1 });
const reason = fc.oneof(
  fc.string({ minLength: 1, maxLength: 200 }),
  fc
    .tuple(
      fc.constantFrom("ApiError", "HealthcheckError", "InvalidTaskError", "AgentTimeoutError", "X"),
      fc.string(),
    )
    .map(([type, text]) => `${type}: ${text}`),
);
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    kind: fc.constant("agent-failed" as const),
    failure: fc.constantFrom(...AgentFailure.options),
    reason,
    rewards: fc.oneof(rewards, fc.constant({})),
  }),
  fc.record({
    kind: fc.constant("environment-failed" as const),
    permanent: fc.constant(true as const),
    reason,
  }),
  fc.record({
    kind: fc.constantFrom(
      "environment-failed" as const,
      "model-failed" as const,
      "verifier-failed" as const,
      "cancelled" as const,
      "budget-exceeded" as const,
    ),
    reason,
  }),
);

test("every outcome without a plain score reads back from the exception that it is written as", () => {
  fc.assert(
    fc.property(outcome, (each) => {
      const exception = exceptionOfOutcome(each);
      if (exception === undefined) throw new Error("no exception");
      const given = "rewards" in each && Object.keys(each.rewards).length > 0 ? each.rewards : undefined;
      expect(outcomeOfException(exception, given)).toEqual(each);
      expect(Outcome.parse(each)).toEqual(each);
    }),
  );
});

test("a score is no exception", () => {
  expect(exceptionOfOutcome({ kind: "scored", rewards: { reward: 1 } })).toBeUndefined();
});
