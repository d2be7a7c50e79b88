import { solutionToTrajectory } from "../atif/from-solution.ts";
import { trajectoryToMessages } from "../atif/messages.ts";
import type { ChatMessage, ToolDefinition } from "../ports/model-client.ts";
import type { Task } from "../production/schemas.ts";

/**
 * What a task asks a model, in chat form: its Responses request, else its chat messages, else its prompt.
 * It is read as the solutions are, so that both begin with the same messages.
 * @throws TracemillError `invalid-trajectory` when the task asks nothing; `unsupported` for images and sound.
 */
export function requestMessages(task: Task): ChatMessage[] {
  return request(task).messages;
}

export function requestTools(task: Task): ToolDefinition[] {
  return request(task).tools;
}

function request(task: Task): { messages: ChatMessage[]; tools: ToolDefinition[] } {
  return trajectoryToMessages(solutionToTrajectory({ task, solution: { id: "request", messages: [] } }));
}
