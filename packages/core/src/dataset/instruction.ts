import { isTracemillError } from "../errors.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Trial } from "../run/trial.ts";
import { createTaskLoader } from "../trial/load-task.ts";

/** Instructions kept in memory: tasks come back once a trial, in no order. */
const keep = 4_096;

export type InstructionReader = (task: Trial["task"]) => Promise<string | undefined>;

/** Reads what a task asks of its agent from its archive; `undefined` when the archive is gone. */
export function createInstructionReader(objects: ObjectStore): InstructionReader {
  const loader = createTaskLoader(objects, 1);
  const known = new Map<string, string | undefined>();
  return async (task) => {
    if (known.has(task.hash)) return known.get(task.hash);
    const instruction = await readInstruction(task, loader);
    const oldest = known.size >= keep ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(task.hash, instruction);
    return instruction;
  };
}

async function readInstruction(
  task: Trial["task"],
  loader: ReturnType<typeof createTaskLoader>,
): Promise<string | undefined> {
  try {
    const loaded = await loader.load(task);
    if (loaded.kind === "harbor") return loaded.harbor.instruction;
    return loaded.scenario.messages.findLast(({ role }) => role === "user")?.content;
  } catch (error) {
    if (isTracemillError(error, "not-found")) return undefined;
    throw error;
  }
}
