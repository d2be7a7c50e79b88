import type { Trajectory } from "../atif/trajectory.ts";
import type { Redactor } from "../redact/redactor.ts";

type Step = Trajectory["steps"][number];

/**
 * A trajectory without secrets. A redactor takes the token ids of a step with what it finds there; those of later steps
 * are left out too, with log probabilities: their prompts repeat what was said before, and ids spell it out.
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
  if (step.metrics == null) return step;
  const { prompt_token_ids: _, completion_token_ids: __, logprobs: ___, ...metrics } = step.metrics;
  return { ...step, metrics };
}
