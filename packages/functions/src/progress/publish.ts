import { recordKeys } from "@tracemill/core/keys.ts";
import { readStage } from "@tracemill/core/pipeline/stage-record.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { readRunSpec } from "@tracemill/core/run/runs.ts";
import { RunProgress, type Tally } from "@tracemill/core/run/shard-record.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { executionOf } from "../execution-name.ts";
import type { Executions, Log, Metrics } from "../ports.ts";
import { metricPoints } from "./metric-points.ts";

export interface ProgressDeps {
  objects: ObjectStore;
  records: RecordStore;
  clock: Clock;
  executions: Pick<Executions, "running" | "stop">;
  /** Adds up a run's shards as they are stored now. */
  sumShards(runId: string): Promise<Pick<RunProgress, "tally" | "failedShards">>;
  metrics: Metrics;
  log: Log;
}

/** A stream's times are whole seconds, and of another clock. */
const slackMs = 2_000;

/**
 * Brings a run's sum up to date, and stops its execution when one of the run's caps is reached. A change that comes
 * again, or late, finds it counted already.
 * @param changedAt when the newest change of its shards was stored, in milliseconds since the epoch.
 */
export async function publishProgress(runId: string, changedAt: number, deps: ProgressDeps): Promise<void> {
  const held = await readHeld(runId, deps.records);
  const isCounted = held !== undefined && Date.parse(held.row.updatedAt) > changedAt + slackMs;
  const progress = isCounted ? held.row : await sumAndStore(runId, deps);
  await stopWhenSpent(runId, progress, deps);
}

async function readHeld(
  runId: string,
  records: RecordStore,
): Promise<{ version: number; row: RunProgress } | undefined> {
  const key = recordKeys.progress(runId);
  const stored = await records.get(key);
  if (stored === undefined) return undefined;
  const row = parseAs(RunProgress, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
  return { version: stored.version, row };
}

/** Of two that sum at once, the one that began later has the last word, and each growth is measured once. */
async function sumAndStore(runId: string, deps: ProgressDeps): Promise<RunProgress> {
  for (;;) {
    const now = deps.clock.now();
    const held = await readHeld(runId, deps.records);
    if (held !== undefined && Date.parse(held.row.updatedAt) > now) return held.row;
    const { tally, failedShards } = await deps.sumShards(runId);
    const updatedAt = new Date(now).toISOString();
    const row: RunProgress = { schemaVersion: 1, runId, updatedAt, tally, failedShards };
    const condition = held === undefined ? "absent" : { version: held.version };
    if ((await deps.records.put(recordKeys.progress(runId), row, condition)) === undefined) continue;
    deps.metrics(metricPoints(held?.row, row));
    return row;
  }
}

/**
 * The run's caps hold over all of its jobs, each of which sees only its own share. With its last trials a run may pass
 * a cap that nothing is left to be held to: it is about to write its results, which costs nothing that is capped.
 */
async function stopWhenSpent(runId: string, { tally }: RunProgress, deps: ProgressDeps): Promise<void> {
  const { limits } = await readRunSpec(runId, deps.objects);
  const hasCap = Object.values(limits.run).some((cap) => cap !== undefined);
  if (!hasCap || (await hasAllEnded(runId, tally, deps))) return;
  for await (const { arn, name, startedAt } of deps.executions.running()) {
    if (executionOf(name)?.runId !== runId) continue;
    const budget = new RunBudget(limits.run, startedAt);
    budget.add(tally.usage);
    const reason = budget.exceeded(deps.clock.now());
    if (reason === undefined) continue;
    deps.log.warn("a run's cap is reached", { runId, execution: name, reason });
    await deps.executions.stop(arn, `${reason}; what is done is kept`);
  }
}

async function hasAllEnded(runId: string, { ended }: Tally, deps: ProgressDeps): Promise<boolean> {
  const row = (await readStage(runId, "plan", deps))?.row;
  const planned = row?.status === "done" ? row.output.trials : undefined;
  return typeof planned === "number" && ended >= planned;
}
