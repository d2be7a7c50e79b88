import { TracemillError } from "../errors.ts";
import type { Task } from "../production/schemas.ts";
import { requestOf } from "./request.ts";

/**
 * What the agent of a Harbor task is asked: the row's prompt, else what the user says in its request, else
 * its title.
 * @throws TracemillError `invalid-task` when the row asks nothing.
 */
export function instructionOf(task: Task): string {
  if (task.prompt?.trim()) return task.prompt;
  const said = requestOf(task).messages.filter(({ role }) => role === "user");
  const text = said.map(({ content }) => content).join("\n\n");
  if (text.trim() !== "") return text;
  throw new TracemillError(
    "invalid-task",
    `${task.id}: \`prompt\` is missing, and no user speaks in its request`,
  );
}
