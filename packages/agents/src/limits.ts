import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import { isContextLimit } from "@tracemill/core/models/context-limit.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";

/**
 * The end of an agent whose model is asked no more: its turns are used up, or its conversation no longer fits. `undefined`
 * for errors that are not the agent's.
 */
export function endByLimit(error: unknown): AgentEnd | undefined {
  const reason = messageOf(error);
  if (isTracemillError(error, "turn-limit")) return { kind: "agent-failed", failure: "turn-limit", reason };
  return isContextLimit(error) ? { kind: "agent-failed", failure: "context-limit", reason } : undefined;
}
