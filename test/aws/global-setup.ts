import type { TestProject } from "vitest/node";
import { pythonMissing } from "../emulators/venv.ts";
import { type DeployedCloud, deployCloud } from "./deploy.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the stage is deployed, or why it is not. */
    cloud: DeployedCloud | { missing: string };
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = await pythonMissing();
  if (missing !== undefined) {
    project.provide("cloud", { missing });
    return () => Promise.resolve();
  }
  const { cloud, close } = await deployCloud();
  project.provide("cloud", cloud);
  return close;
}
