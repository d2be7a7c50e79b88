import type { ExecutionInput } from "@tracemill/aws/pipeline/messages.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { snapshotRunId } from "@tracemill/core/ids.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { isSnapshotPlace } from "@tracemill/core/pipeline/prepare-tasks.ts";
import type { AgentRegistry } from "@tracemill/core/ports/agent.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { resolveRoles } from "@tracemill/core/run/roles.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec, type RunSpec, requireOnAws } from "@tracemill/core/run/spec.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import * as z from "zod";
import type { Executions, Log } from "../ports.ts";

/** What the rule on new snapshots sends: its own spec's name, and the snapshot from the event. */
export const StartRunInput = z.strictObject({
  /** The spec is the object `specs/<spec>.json`, as a user writes it. */
  spec: z.string().regex(/^[\w.-]+$/, "wants letters, digits, dot, dash and underscore"),
  source: z.string(),
  snapshotId: z.string().regex(/^snap_[0-9A-HJKMNP-TV-Z]{26}$/, "wants a snapshot's id"),
});
export type StartRunInput = z.infer<typeof StartRunInput>;

export interface StartRunDeps {
  objects: ObjectStore;
  records: RecordStore;
  /** Says which agents take a model. */
  agents: AgentRegistry;
  clock: Clock;
  executions: Pick<Executions, "start">;
  log: Log;
}

/**
 * Starts a run of a stored spec for a new snapshot. The snapshot and the spec's name make the run's id, so that an
 * event that comes twice, or a call that is tried again, starts one run.
 * @throws TracemillError `not-found` (no such spec), `invalid-spec`.
 */
export async function startRun(
  { spec: name, source, snapshotId }: StartRunInput,
  deps: StartRunDeps,
): Promise<{ runId: string; execution: string }> {
  const spec = pinned(await readSpec(name, deps), { source, snapshotId });
  const { runId, createdAt } = await createRun(spec, deps, snapshotRunId(snapshotId, name));
  const execution = `${runId}-1`;
  // The same input each time: a start of the same name with another one would be refused.
  const input: ExecutionInput = { runId, execution, startedAt: Date.parse(createdAt), resumed: false };
  await deps.executions.start({ name: execution, input });
  deps.log.info("a new snapshot started a run", { runId, spec: name, source, snapshotId });
  return { runId, execution };
}

/** A spec whose source is the snapshot's runs over that one: another ingest would find nothing changed since. */
function pinned(spec: RunSpec, { source, snapshotId }: Omit<StartRunInput, "spec">): RunSpec {
  if (spec.source?.name !== source) return spec;
  return { ...spec, source: { ...spec.source, snapshot: snapshotId } };
}

async function readSpec(
  name: string,
  { objects, agents }: Pick<StartRunDeps, "objects" | "agents">,
): Promise<RunSpec> {
  const key = objectKeys.storedSpec(name);
  const spec = resolveRoles(parseRunSpec(await readJson(objects, key), key), agents);
  requireOnAws(spec, key);
  const folder = spec.tasks.find((place) => !isSnapshotPlace(place));
  if (folder === undefined) return spec;
  throw new TracemillError(
    "invalid-spec",
    `${key}: \`tasks\` names the folder ${folder}, which no machine sends with a run that an event starts; name snapshots only (\`snapshot:NAME\`)`,
  );
}
