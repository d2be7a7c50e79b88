import { TracemillError } from "@tracemill/core/errors.ts";
import type { TaskFile } from "@tracemill/core/harbor/task-files.ts";
import { readPlan, readShard } from "@tracemill/core/pipeline/plan-run.ts";
import type { LoadedTask } from "@tracemill/core/ports/agent.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { TaskLoader } from "@tracemill/core/trial/load-task.ts";

/** What an environment's image is made from. */
export type ImageSource = {
  /** The task that it was taken from; others may share it. */
  task: string;
  buildTimeoutSec: number;
} & (
  | { kind: "dockerfile"; context: TaskFile[] }
  /** A reference that the task names. */
  | { kind: "image"; image: string }
  /** Nothing but a system. */
  | { kind: "bare" }
);

/** As Docker spells references, so that one in a task's settings cannot say more than that. */
const reference = /^[a-z0-9][\w.:/@-]*$/i;

const bareTimeoutSec = 600;

/**
 * The environment's files, from the first task of the run's plan that has it.
 * @throws TracemillError `not-found` when no shard has it, `invalid-task`, and what reading a task throws.
 */
export async function imageSourceOf(
  { runId, environment }: { runId: string; environment: string },
  deps: { objects: ObjectStore; tasks: TaskLoader },
): Promise<ImageSource> {
  const { shards } = await readPlan(runId, deps.objects);
  const shard = shards.find((each) => each.environment === environment);
  if (shard !== undefined) {
    for await (const { task } of readShard(runId, shard, deps.objects))
      return sourceIn(await deps.tasks.load(task), task.name);
  }
  throw new TracemillError("not-found", `run ${runId} has no task with the environment ${environment}`);
}

function sourceIn(task: LoadedTask, name: string): ImageSource {
  if (task.kind === "scenario") return { kind: "bare", task: name, buildTimeoutSec: bareTimeoutSec };
  const { environment } = task.harbor.config;
  const base = { task: name, buildTimeoutSec: environment.build_timeout_sec };
  const context = task.harbor.files
    .filter(({ path }) => path.startsWith("environment/"))
    .map((file) => ({ ...file, path: file.path.slice("environment/".length) }));
  if (context.some(({ path }) => path === "Dockerfile")) return { ...base, kind: "dockerfile", context };
  const { docker_image: image } = environment;
  if (image === null || image === undefined) return { ...base, kind: "bare" };
  if (reference.test(image)) return { ...base, kind: "image", image };
  throw new TracemillError(
    "invalid-task",
    `${name}: task.toml: \`environment.docker_image\` is no image reference: ${JSON.stringify(image)}`,
  );
}
