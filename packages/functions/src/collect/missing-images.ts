import type { Jobs } from "@tracemill/aws/control/jobs.ts";
import { isMadeFrom } from "@tracemill/aws/pipeline/base-revision.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { TaskImages } from "../ports.ts";

/** How an environment's image is tagged. */
export function imageTag(environment: string): string {
  return `env-${environment}`;
}

/**
 * Task images by what uses them: an environment is ready when its job definition is registered, which its image
 * job does last, from the base that the stage was deployed with last, and its image is still in the repository.
 */
export function registeredImages(
  { jobs: { sandbox }, imageRepository }: Pick<StackInfo, "jobs" | "imageRepository">,
  deps: {
    jobs: Pick<Jobs, "definitions">;
    images: { missing(repository: string, tags: readonly string[]): Promise<string[]> };
  },
): TaskImages {
  const definitionOf = (environment: string): string => `${sandbox.definition}${environment}`;
  return {
    async missing(environments) {
      if (environments.length === 0) return [];
      const [definitions, tags] = await Promise.all([
        deps.jobs.definitions([definitionOf("base"), ...environments.map(definitionOf)]),
        deps.images.missing(imageRepository, environments.map(imageTag)),
      ]);
      const absent = new Set(tags);
      const base = definitions.get(definitionOf("base")) ?? {};
      return environments.filter(
        (each) => !isMadeFrom(definitions.get(definitionOf(each)), base) || absent.has(imageTag(each)),
      );
    },
  };
}
