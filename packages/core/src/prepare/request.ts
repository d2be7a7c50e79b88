import { solutionToTrajectory } from "../atif/from-solution.ts";
import { type ChatConversation, trajectoryToMessages } from "../atif/messages.ts";
import type { Trajectory } from "../atif/trajectory.ts";
import { isTracemillError, TracemillError } from "../errors.ts";
import type { Task } from "../production/schemas.ts";

/**
 * What a task asks a model, in chat form: its Responses request, else its chat messages, else its prompt; and
 * the tools that it offers. It is read as its solutions are, so that both begin with the same messages.
 * @throws TracemillError `invalid-task` when the task asks nothing; `unsupported` for images and sound.
 */
export function requestOf(task: Task): ChatConversation {
  return trajectoryToMessages(requestTrajectory(task));
}

/** The request is what a solution with nothing in it begins with. */
function requestTrajectory(task: Task): Trajectory {
  try {
    return solutionToTrajectory({ task, solution: { id: "(request)", messages: [] } });
  } catch (error) {
    if (!isTracemillError(error, "invalid-trajectory")) throw error;
    const wanted = "`prompt`, `messages` or `responses_create_params.input`";
    throw new TracemillError(
      "invalid-task",
      `${task.id}: asks nothing that can be read; it needs ${wanted}`,
      {
        cause: error,
      },
    );
  }
}
