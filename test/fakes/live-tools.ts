import { rm } from "node:fs/promises";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { type CallTool, openTools } from "@tracemill/agents/tools/registry.ts";
import type { ToolSession } from "@tracemill/agents/tools/tool.ts";
import { tempDir } from "./temp-dir.ts";

const home = await tempDir("tracemill-tools-");
const provider = namespaceSandboxes({ dir: `${home.path}/sandboxes`, cacheDir: `${home.path}/cache` });

/** Why tools cannot be tried live on this machine; `undefined` where they can. */
export const noSandbox = (await provider.doctor()).find(({ status }) => status === "missing")?.detail;

/** Removes what the sandboxes of one test file have left. */
export const removeHome = () => rm(home.path, { recursive: true, force: true });

/** The tools of an attempt in a real sandbox, which ends with the test's block. */
export async function liveTools(session: Partial<ToolSession> = {}) {
  const limits = { memoryBytes: 512 * 1024 * 1024, pids: 64 };
  const environment = { files: [], env: {}, buildTimeoutSec: 60 };
  const sandbox = await provider.create({ environment, limits, network: "none", label: "tools" });
  const resources = new AsyncDisposableStack();
  const signal = new AbortController().signal;
  const callTool: CallTool = openTools({ sandbox, signal, resources, ...session });
  return {
    sandbox,
    call: async (name: string, args: Record<string, unknown>): Promise<string> =>
      (await callTool({ id: "c", name, arguments: args })).output,
    [Symbol.asyncDispose]: async () => {
      await resources.disposeAsync();
      await sandbox.close();
    },
  };
}
