import { isTracemillError } from "../errors.ts";

/** `context.reason` of a `model-failed` error for a conversation that is longer than the model can take. */
export const contextLimit = "context-limit";

/** Whether a model refused because the conversation is longer than it can take. */
export function isContextLimit(error: unknown): boolean {
  return isTracemillError(error, "model-failed") && error.context.reason === contextLimit;
}
