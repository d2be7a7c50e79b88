import { access, constants, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { programsOf } from "@tracemill/agents/cli-agents/machine.ts";
import { agentRegistry, builtInAgents } from "@tracemill/agents/registry.ts";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { PipelineDeps, PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import type { RunSpec, SandboxName } from "@tracemill/core/run/spec.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { taskFoldersUnder } from "@tracemill/local/task-folder.ts";
import pLimit from "p-limit";
import type { CliContext, Home, LocalHome } from "./context.ts";
import { homeFolders } from "./home-folders.ts";
import { pathOf } from "./path-of.ts";
import { usualProxies } from "./usual-proxies.ts";

/**
 * Opens the stores below the home directory, making it when it is missing.
 * @throws TracemillError `invalid-input` when it cannot be made or written, and what the stores throw.
 */
export async function openHome(dir: string): Promise<LocalHome> {
  await requireWritable(dir);
  const scratchDir = join(dir, "tmp");
  const objects = openObjectStore(join(dir, "objects"));
  const records = openRecordStore(join(dir, "records.sqlite"));
  return {
    dir,
    locate: (key) => pathOf(dir, key),
    flags: "",
    objects,
    records,
    scratch: tempScratch(scratchDir),
    parquet: duckdbParquet(scratchDir),
    close: async () => records.close(),
  };
}

/** @throws TracemillError `invalid-input` in words that name the folder and the variable. */
export async function requireWritable(dir: string): Promise<void> {
  try {
    await makeFolder(dir);
    await access(dir, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const words =
      code === "EEXIST" || code === "ENOTDIR"
        ? "is no folder, or lies below a file"
        : code === "EACCES" || code === "EPERM" || code === "EROFS"
          ? "cannot be written by this user"
          : messageOf(error);
    const remedy = "set TRACEMILL_HOME to a folder that you may write";
    throw new TracemillError("invalid-input", `${dir}: ${words}; ${remedy}`, { cause: error });
  }
}

/** Makes a folder and those above it. Node's own recursive mkdir never ends where none can be made, as in /proc. */
async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(dir)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(dir) === dir) throw error;
    await makeFolder(dirname(dir));
    await mkdir(dir).catch(unlessItIsThere);
  }
}

/** Another process may make the same folder. */
function unlessItIsThere(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** Sandboxes of this machine. Docker's client library is loaded when it is wanted: it takes 0.2 s. */
export async function openSandboxes(
  name: Exclude<SandboxName, "job">,
  { home, config, clock, out }: Pick<CliContext, "home" | "config" | "clock" | "out">,
): Promise<SandboxProvider> {
  const dir = join(home, "sandboxes");
  if (name === "namespace") return namespaceSandboxes({ dir, cacheDir: join(home, "cache", "layers") });
  const { dockerLogDir, dockerSandboxes } = await import("@tracemill/agents/sandbox/docker/provider.ts");
  return dockerSandboxes({
    owner: processOwner(clock.now()),
    dir,
    logDir: dockerLogDir(home),
    log: (message) => out.note(message),
    ...(config.dockerBase === undefined ? {} : { baseImage: config.dockerBase }),
  });
}

interface RunOptions {
  runId: string;
  spec: RunSpec;
  /** When this process began (or resumed) the run; milliseconds since the epoch. */
  startedAt: number;
  /** A run that is resumed begins again what ended without a valid outcome. */
  resumed: boolean;
  production: PipelineDeps["production"];
  sandboxes: SandboxProvider;
  models: Pick<PipelineDeps, "models" | "redactor">;
  onEvent(event: PipelineEvent): void;
}

/** Where agents for the command line are installed, and what captures them. */
function programsHere({ home, config, out }: Pick<CliContext, "home" | "config" | "out">) {
  const note = (line: string): void => out.note(line);
  return programsOf({ dir: homeFolders(home).agents, proxies: usualProxies(config), note });
}

/** Everything that the stages of a run need, on this machine. */
export function pipelineDeps(context: CliContext, home: Home, options: RunOptions): PipelineDeps {
  const { runId, spec, startedAt, resumed, production, sandboxes, models, onEvent } = options;
  const { objects, records, scratch, parquet } = home;
  return {
    runId,
    spec,
    objects,
    records,
    scratch,
    parquet,
    sandboxes,
    ...models,
    agents: agentRegistry(builtInAgents(programsHere(context))),
    tasks: createTaskLoader(objects),
    budget: new RunBudget(spec.limits.run, startedAt),
    clock: context.clock,
    random: context.random,
    owner: processOwner(startedAt),
    fetch: globalThis.fetch,
    taskFolders: taskFoldersUnder,
    limit: pLimit(spec.concurrency),
    signal: context.signal,
    draining: context.draining,
    onEvent,
    ...(production === undefined ? {} : { production }),
    ...(resumed ? { reopenBefore: startedAt } : {}),
  };
}
