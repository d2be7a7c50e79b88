import type { TestProject } from "vitest/node";
import { openDockerEngine } from "./docker-engine.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where a Docker engine with the base image answers (as in DOCKER_HOST), or why there is none. */
    docker: { host: string } | { missing: string };
  }
}

/** One engine for all Docker suites of a test run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await openDockerEngine();
  if ("missing" in engine) {
    project.provide("docker", engine);
    return () => Promise.resolve();
  }
  project.provide("docker", { host: engine.host });
  return engine.close;
}
