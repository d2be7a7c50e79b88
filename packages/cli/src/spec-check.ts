import { agentRegistry } from "@tracemill/agents/registry.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { latestSnapshot } from "@tracemill/core/ingest/manifest.ts";
import { checkAgents } from "@tracemill/core/pipeline/plan-run.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { findTaskFolders } from "@tracemill/local/task-folder.ts";
import type { Home } from "./context.ts";

const snapshotPrefix = "snapshot:";

/**
 * Holds a spec against this machine before a run of it is written down, so that a slip of the hand leaves no
 * stopped run behind: agents have to be known and content with their options, folders to hold a task, snapshots to be here.
 * @throws TracemillError `invalid-spec`, `not-found`.
 */
export async function checkSpec(spec: RunSpec, { records }: Pick<Home, "records">): Promise<void> {
  requireLocal(spec);
  checkAgents(spec, agentRegistry());
  // It reads the policy's patterns.
  createRedactor(spec.redact, []);
  for (const place of spec.tasks) {
    if (place.startsWith(snapshotPrefix)) await requireSnapshot(place.slice(snapshotPrefix.length), records);
    else await requireTask(place);
  }
}

/** The sandbox of a spec that can run here. */
export type LocalSandbox = Exclude<RunSpec["sandbox"], "job">;

/** @throws TracemillError `invalid-spec` for what only a run on AWS can do. */
export function requireLocal(spec: RunSpec): asserts spec is RunSpec & { sandbox: LocalSandbox } {
  const { sandbox, models, agents } = spec;
  if (sandbox === "job") {
    throw new TracemillError(
      "invalid-spec",
      "`sandbox: job` is a container of a job on AWS: add `--on aws`, or say `sandbox: namespace` to run here",
    );
  }
  const served = agents.find(({ model, options }) => {
    return model !== undefined && models[model] !== undefined && options?.baseUrl === undefined;
  });
  if (served === undefined) return;
  throw new TracemillError(
    "invalid-spec",
    `agent ${served.name}: \`models\` serves ${served.model} on GPU jobs of AWS only: add \`--on aws\`, or start a server here and give its address as the agent's \`options.baseUrl\``,
  );
}

async function requireSnapshot(source: string, records: Home["records"]): Promise<void> {
  if ((await latestSnapshot(records, source)) !== undefined) return;
  throw new TracemillError(
    "not-found",
    `tasks: snapshot:${source} has no whole snapshot here; run \`tracemill ingest --source ${source}\` first`,
  );
}

async function requireTask(folder: string): Promise<void> {
  for await (const _ of findTaskFolders(folder)) return;
  throw new TracemillError(
    "not-found",
    `${folder}: no task at or below it; name a folder that holds a task.toml or a scenario.json`,
  );
}
