import type { ExecutionInput } from "@tracemill/aws/pipeline/messages.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { PipelineDeps, PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import { sentFolders } from "@tracemill/core/pipeline/sent-folders.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { readRunSpec } from "@tracemill/core/run/runs.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import type { Log } from "../ports.ts";

/** What a function has for the steps of a run. */
export interface StepWorld {
  objects: ObjectStore;
  records: RecordStore;
  /** Unique to this invocation. */
  requestId: string;
  signal: AbortSignal;
  log: Log;
  /** For the step that reads a source. */
  production?: PipelineDeps["production"];
  /** For the step that plans. */
  agents?: PipelineDeps["agents"];
  /** For the step that writes datasets. */
  files?: Pick<PipelineDeps, "parquet" | "scratch">;
}

/** Everything that a step of a run needs, in a function. Nothing is sandboxed there. */
export function stepDeps(
  { runId, startedAt, resumed }: ExecutionInput,
  spec: RunSpec,
  world: StepWorld,
): PipelineDeps {
  const { objects, records, requestId, signal, log, agents = noAgents, production, files } = world;
  return {
    runId,
    spec,
    objects,
    records,
    sandboxes: noSandboxes,
    agents,
    models: noModels,
    redactor: () => {
      throw unavailable("redactor");
    },
    tasks: noTasks,
    budget: new RunBudget(spec.limits.run, startedAt),
    clock: systemClock,
    random: Math.random,
    owner: { id: `lambda/${requestId}`, isGone: () => false },
    fetch: globalThis.fetch,
    taskFolders: sentFolders(runId, objects),
    limit: (work) => work(),
    signal,
    draining: signal,
    onEvent: stepLog(runId, log),
    ...(resumed ? { reopenBefore: startedAt } : {}),
    ...(production === undefined ? {} : { production }),
    ...(files ?? noFiles),
  };
}

/** @throws TracemillError `not-found`, `storage-corrupt`. */
export function specOf({ runId }: ExecutionInput, objects: ObjectStore): Promise<RunSpec> {
  return readRunSpec(runId, objects);
}

function unavailable(what: string): TracemillError {
  return new TracemillError("sandbox-unavailable", `this function has no ${what}`);
}

const noAgents: PipelineDeps["agents"] = () => {
  throw unavailable("agents");
};

/** Trials unpack tasks; no step does. */
const noTasks: PipelineDeps["tasks"] = { load: () => Promise.reject(unavailable("unpacked tasks")) };

const noModels: PipelineDeps["models"] = {
  open: () => Promise.reject(unavailable("models")),
  upstream: () => Promise.reject(unavailable("models")),
};

const noSandboxes: SandboxProvider = {
  name: "in-process",
  create: () => Promise.reject(unavailable("sandboxes")),
  doctor: async () => [],
  close: async () => undefined,
};

const noFiles: Pick<PipelineDeps, "parquet" | "scratch"> = {
  parquet: {
    encode: () => {
      throw unavailable("Parquet encoder");
    },
  },
  scratch: { create: () => Promise.reject(unavailable("scratch files")) },
};

/** A line of progress at most so often, in milliseconds. */
const progressMs = 30_000;

function stepLog(runId: string, log: Log): (event: PipelineEvent) => void {
  let last = 0;
  return (event) => {
    if (event.type !== "progress") return;
    const now = Date.now();
    if (now - last < progressMs) return;
    last = now;
    const { stage, done, unit } = event;
    log.info("progress", { runId, stage, done, unit });
  };
}
