import { TracemillError } from "../errors.ts";
import type { FanOutName } from "../pipeline/stages.ts";
import type { Shard } from "./plan.ts";
import type { RunSpec } from "./spec.ts";

/**
 * Kinds of compute for a shard on AWS. `container`: Fargate, nothing is sandboxed. `host`: EC2, namespaces inside the
 * worker. `gpu`: the same with a model served beside it. `sandbox`: Fargate, with containers of the task's own image.
 */
export type JobKind = "container" | "host" | "gpu" | "sandbox";

/**
 * What a stage of a shard runs on.
 * @throws TracemillError `unsupported` when its model wants a GPU and its sandbox a container of its own.
 */
export function jobKindOf(
  { model, sandboxed, shardId }: Pick<Shard, "model" | "sandboxed" | "shardId">,
  stage: FanOutName,
  { models, sandbox }: Pick<RunSpec, "models" | "sandbox">,
): JobKind {
  const isServed = stage === "trace" && model !== undefined && models[model] !== undefined;
  const ownContainer = sandbox === "job" && sandboxed[stage];
  if (isServed && ownContainer) {
    throw new TracemillError(
      "unsupported",
      `shard ${shardId}: \`models\` serves ${model} on a GPU job, which has no containers of task images; say \`sandbox: namespace\``,
    );
  }
  if (isServed) return "gpu";
  if (ownContainer) return "sandbox";
  return sandboxed[stage] ? "host" : "container";
}
