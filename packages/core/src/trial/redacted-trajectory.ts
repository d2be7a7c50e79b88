import type { Trajectory } from "../atif/trajectory.ts";
import type { Redactor } from "../redact/redactor.ts";

type Step = Trajectory["steps"][number];

/**
 * A trajectory without secrets. From the first step that held one, token ids and log probabilities are left out too:
 * prompts repeat what was said before, and ids spell it out.
 */
export function redactedTrajectory(trajectory: Trajectory, redactor: Redactor): Trajectory {
  const { steps, subagent_trajectories: subagents, ...rest } = trajectory;
  const clean = redactor.json(rest);
  let tainted = clean !== rest;
  const cleanSteps = steps.map((step) => {
    const redacted = redactor.json(step);
    tainted ||= redacted !== step;
    return tainted ? withoutTokens(redacted) : redacted;
  });
  return {
    ...clean,
    steps: cleanSteps,
    ...(subagents === undefined
      ? {}
      : { subagent_trajectories: subagents.map((each) => redactedTrajectory(each, redactor)) }),
  };
}

function withoutTokens(step: Step): Step {
  const { metrics } = step;
  if (metrics == null) return step;
  const { prompt_token_ids, completion_token_ids, logprobs, ...kept } = metrics;
  if (prompt_token_ids == null && completion_token_ids == null && logprobs == null) return step;
  return { ...step, metrics: { ...kept, extra: { ...kept.extra, token_ids_left_out: "redacted" } } };
}
