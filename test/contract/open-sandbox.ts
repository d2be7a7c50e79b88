import type { Sandbox, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { readLayer } from "@tracemill/core/workspace/layer.ts";
import { gather } from "../fakes/gather.ts";

/** Opens a sandbox that ends with the test's block. */
export type OpenSandbox = (spec?: PartialSpec) => Promise<Sandbox & AsyncDisposable>;

export type PartialSpec = Partial<Omit<SandboxSpec, "environment">> & {
  environment?: Partial<SandboxSpec["environment"]>;
};

/** A spec with everything that a test does not care about. */
export function specOf({ environment, ...rest }: PartialSpec): SandboxSpec {
  return {
    environment: { files: [], env: {}, buildTimeoutSec: 60, ...environment },
    limits: {},
    network: "none",
    label: "contract",
    ...rest,
  };
}

export async function textIn(sandbox: Sandbox, path: string): Promise<string | undefined> {
  const content = await sandbox.readFile(path);
  return content === undefined ? undefined : Buffer.from(content).toString("utf8");
}

/** Entries of a diff, as `type path`. */
export async function changesIn(sandbox: Sandbox, exclude: readonly string[] = []): Promise<string[]> {
  const entries = await gather(readLayer(sandbox.diff({ exclude })));
  return entries.map((entry) => `${entry.type} ${entry.path}`);
}
