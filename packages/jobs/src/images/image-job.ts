import type { Images } from "@tracemill/aws/control/images.ts";
import type { JobDefinitions } from "@tracemill/aws/control/job-definitions.ts";
import type { Jobs } from "@tracemill/aws/control/jobs.ts";
import { isMadeFrom } from "@tracemill/aws/pipeline/base-revision.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { TaskLoader } from "@tracemill/core/trial/load-task.ts";
import type { ImageArguments } from "../arguments.ts";
import type { JobLog } from "../log.ts";
import { type BuildDeps, buildImage } from "./build-image.ts";
import { imageSourceOf } from "./image-source.ts";
import { platformOf, sandboxDefinition, workerImage } from "./sandbox-definition.ts";

export interface ImageJobDeps extends BuildDeps {
  objects: ObjectStore;
  tasks: TaskLoader;
  stack: Pick<StackInfo, "jobs" | "imageRepository">;
  images: Pick<Images, "missing">;
  jobs: Pick<Jobs, "register">;
  definitions: JobDefinitions;
  log: JobLog;
}

/**
 * Makes an environment ready for jobs that run in containers of its image: the image is built and pushed, then a job
 * definition that uses it is registered. What is there already is left as it is; a definition from before the stage was
 * deployed again gets a new revision.
 */
export async function runImageJob(
  { runId, target: environment }: Pick<ImageArguments, "runId" | "target">,
  deps: ImageJobDeps,
): Promise<void> {
  const { stack, definitions, log } = deps;
  const prefix = stack.jobs.sandbox.definition;
  const base = await definitions.newest(`${prefix}base`);
  if (base === undefined) throw noBase(`${prefix}base`);
  const tag = `env-${environment}`;
  const reference = `${stack.imageRepository}:${tag}`;
  if (await isThere(tag, deps)) log.info("image-found", { reference });
  else {
    const source = await imageSourceOf({ runId, environment }, deps);
    const request = {
      environment,
      source,
      reference,
      bareImage: workerImage(base),
      platform: platformOf(base),
    };
    await buildImage(request, deps).catch((error: unknown) => unlessThere(error, tag, deps));
    log.info("image-pushed", { reference, task: source.task });
  }
  const name = `${prefix}${environment}`;
  if (isMadeFrom(await definitions.newest(name), base)) return;
  const { arn } = await deps.jobs.register(sandboxDefinition(base, { name, image: reference }));
  log.info("definition-registered", { arn });
}

async function isThere(tag: string, { images, stack }: ImageJobDeps): Promise<boolean> {
  return (await images.missing(stack.imageRepository, [tag])).length === 0;
}

/** Tags cannot be moved: of two jobs that build the same image the slower one's push is refused. */
async function unlessThere(error: unknown, tag: string, deps: ImageJobDeps): Promise<void> {
  if (!(await isThere(tag, deps))) throw error;
  deps.log.info("image-found", { tag, reason: messageOf(error) });
}

function noBase(name: string): TracemillError {
  return new TracemillError(
    "not-found",
    `there is no job definition ${name}; deploy the stage again (\`npx sst deploy --stage NAME\`)`,
  );
}
