import { recordKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { agentLabels } from "../report/agent-labels.ts";
import type { Shard } from "../run/plan.ts";
import { readShardRecord } from "../run/progress.ts";
import type { ShardRecord, Tally } from "../run/shard-record.ts";
import type { RunSpec } from "../run/spec.ts";
import { ShardMeter } from "../run/tally.ts";
import type { Trial, TrialRecord } from "../run/trial.ts";
import { readTrialRecord } from "../trial/record.ts";
import { readShard } from "./plan-run.ts";

/** What a worker says of itself in the shard's row. */
export type JobOfShard = NonNullable<ShardRecord["job"]>;

interface ReportDeps {
  runId: string;
  spec: Pick<RunSpec, "agents">;
  records: RecordStore;
  clock: { now(): number };
}

/** The rows of trials, in their order; `undefined` for those that nobody has begun. One round trip for all. */
export async function readRows(
  trials: readonly Pick<Trial, "trialId">[],
  { runId, records }: Pick<ReportDeps, "runId" | "records">,
): Promise<(TrialRecord | undefined)[]> {
  const held = await Promise.all(trials.map(({ trialId }) => readTrialRecord(records, runId, trialId)));
  return held.map((each) => each?.row);
}

/** Counts the trials of a shard as their rows stand now. @param isToReopen as `ShardMeter` has it. */
export async function meterShard(
  trials: readonly Trial[],
  deps: ReportDeps,
  isToReopen?: ConstructorParameters<typeof ShardMeter>[1],
): Promise<ShardMeter> {
  const labelOf = agentLabels(deps.spec.agents);
  const rows = await readRows(trials, deps);
  const metered = trials.map(({ trialId, agent }, index) => ({
    trialId,
    agent: labelOf(agent),
    row: rows[index],
  }));
  return new ShardMeter(metered, isToReopen);
}

/** Writes the row of a shard that nobody is at work on in this process, by its trials' rows. */
export async function reportShard(
  { shardId }: Pick<Shard, "shardId">,
  deps: ReportDeps & { objects: ObjectStore },
): Promise<void> {
  const trials = await Array.fromAsync(readShard(deps.runId, { shardId }, deps.objects));
  await writeShardReport(shardId, (await meterShard(trials, deps)).tally, deps);
}

/** Writes a shard's row; its failures stay as they are. @param job absent: the one that is there already. */
export async function writeShardReport(
  shardId: string,
  tally: Tally,
  { runId, records, clock }: ReportDeps,
  job?: JobOfShard,
): Promise<void> {
  for (;;) {
    const held = await readShardRecord(runId, shardId, records);
    const worker = job ?? held?.row.job;
    const row: ShardRecord = {
      schemaVersion: 1,
      shardId,
      updatedAt: new Date(clock.now()).toISOString(),
      tally,
      failures: held?.row.failures ?? [],
      ...(worker === undefined ? {} : { job: worker }),
    };
    const condition = held === undefined ? "absent" : { version: held.version };
    if ((await records.put(recordKeys.shard(runId, shardId), row, condition)) !== undefined) return;
  }
}
