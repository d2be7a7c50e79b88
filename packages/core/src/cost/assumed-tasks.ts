import { sha256Hex } from "../ids.ts";
import type { TaskRef } from "../run/trial.ts";

/** Tasks that share an environment, where nothing is known of them. */
const tasksPerEnvironment = 20;

/** How many tasks a source is taken to give when neither its spec nor the user says. */
export const assumedTasks = 1_000;

/**
 * Stand-ins for the tasks of a source that is not here yet: Harbor tasks with tests, a solution of their own and one
 * recorded solution, twenty to an environment.
 */
export function* tasksOfAbsentSource(source: string, count: number): Generator<TaskRef> {
  for (let index = 0; index < count; index += 1) {
    const environment = Math.floor(index / tasksPerEnvironment);
    yield {
      hash: sha256Hex(`${source} ${index}`),
      kind: "harbor",
      name: `${source}-${index}`,
      group: `${source}-${index}`,
      environment: sha256Hex(`${source} environment ${environment}`),
      origin: { kind: "snapshot", source, snapshotId: "absent", taskId: String(index) },
      hasSolution: true,
      decidedBy: "tests",
      tools: [],
      needs: [],
      references: [
        { solutionId: "1", trajectoryKey: `references/${index}.json`, claim: { status: "passed" } },
      ],
    };
  }
}
