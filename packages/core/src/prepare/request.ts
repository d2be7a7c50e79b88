import { solutionToTrajectory } from "../atif/from-solution.ts";
import { type ChatConversation, trajectoryToMessages } from "../atif/messages.ts";
import type { Task } from "../production/schemas.ts";

/**
 * What a task asks a model, in chat form: its Responses request, else its chat messages, else its prompt; and
 * the tools that it offers. It is read as its solutions are, so that both begin with the same messages.
 * @throws TracemillError `invalid-trajectory` when the task asks nothing; `unsupported` for images and sound.
 */
export function requestOf(task: Task): ChatConversation {
  return trajectoryToMessages(solutionToTrajectory({ task, solution: { id: "request", messages: [] } }));
}
