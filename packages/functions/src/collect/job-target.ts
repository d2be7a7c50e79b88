import type { StackInfo } from "@tracemill/aws/stack.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { JobKind } from "@tracemill/core/run/job-kind.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";

/**
 * The queue and the definition for a kind of compute. On-demand capacity where the spec wants no Spot.
 * @throws TracemillError `unsupported` when the stage has none of that kind.
 */
export function jobTargetOf(
  kind: JobKind,
  environment: string,
  { aws }: Pick<RunSpec, "aws">,
  stack: Pick<StackInfo, "jobs" | "onDemandQueues" | "stage">,
): { queue: string; definition: string } {
  const target = stack.jobs[kind];
  if (target === undefined) {
    throw new TracemillError(
      "unsupported",
      `stage ${stack.stage} has no GPU capacity, and \`models\` wants some: give it GPUs in its settings and deploy it again`,
    );
  }
  const queue = aws.spot ? target.queue : (stack.onDemandQueues[kind] ?? target.queue);
  const definition = kind === "sandbox" ? `${target.definition}${environment}` : target.definition;
  return { queue, definition };
}
