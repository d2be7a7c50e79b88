import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { readRunTasks } from "@tracemill/core/pipeline/plan-run.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { findRun, listRuns } from "@tracemill/core/run/runs.ts";
import type { CliContext } from "../../context.ts";
import { atOnce } from "./at-once.ts";
import { type CopyDeps, copyGroup } from "./copy-objects.ts";
import { copyPartition, copyRow, type RecordDeps } from "./copy-records.ts";
import type { Ledger } from "./ledger.ts";
import { groupOf, groupsBelow, type ObjectGroup } from "./object-groups.ts";
import { SyncTally } from "./tally.ts";

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

export interface SyncRequest {
  from: Stores;
  to: Stores;
  ledger: Ledger;
  /** Only this run (what `findRun` takes) and what it refers to. */
  run?: string;
  /** Only objects whose keys begin with this, and no rows. */
  prefix?: string;
  dryRun: boolean;
}

/** Groups of objects at once. With their members that is at most 48 transfers. */
const groupsAtOnce = 12;

/** Everything that both homes hold. In this order: what is referred to comes before what refers to it. */
const prefixes = [
  ...["artifacts/", "labels/", "raw/", "prepared/", "tasks/", "references/"],
  ...["specs/", "runs/", "datasets/"],
];

/**
 * Brings objects and rows from one home to another: what is missing there, and what is older there. Nothing that was
 * changed on both sides is overwritten. Objects come before the rows that name them, and a run's own row last, so that
 * it may be killed at any moment; calling it again does the rest.
 * @throws TracemillError `cancelled`, `not-found` (no such run), and what the stores throw.
 */
export async function syncHomes(
  request: SyncRequest,
  context: Pick<CliContext, "clock" | "out" | "draining">,
): Promise<SyncTally> {
  const { from, to, ledger, dryRun } = request;
  const tally = new SyncTally(context);
  const objects: CopyDeps = { source: from.objects, target: to.objects, ledger, tally, dryRun };
  const rows: RecordDeps = { source: from.records, target: to.records, ledger, tally, dryRun };
  const run = request.run === undefined ? undefined : await findRun(request.run, from.records);
  const sources = new Set<string>();
  const groups = run === undefined ? allGroups(request, sources) : groupsOfRun(run, request);
  await atOnce(stopped(groups, context), groupsAtOnce, async (group) => copyGroup(await group(), objects));
  if (request.prefix !== undefined) return tally;
  for (const source of sources) await copyPartition(recordKeys.cursor(source).pk, rows);
  const runs = run === undefined ? listRuns(from.records) : [run];
  for await (const { runId } of stopped(runs, context)) {
    await copyPartition(recordKeys.trial(runId, "").pk, rows);
    await copyRow(recordKeys.run(runId), rows);
  }
  return tally;
}

async function* stopped<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { draining }: Pick<CliContext, "draining">,
): AsyncGenerator<T> {
  for await (const item of items) {
    if (draining.aborted)
      throw new TracemillError("cancelled", "stopped on request; the same command goes on");
    yield item;
  }
}

/** A group whose sizes are asked for by whoever copies it, many at once. */
type GroupLookup = () => Promise<ObjectGroup>;

/** @param sources gets the names of the sources whose snapshots come by. */
async function* allGroups(
  { from, to, prefix }: SyncRequest,
  sources: Set<string>,
): AsyncGenerator<GroupLookup> {
  for (const below of prefix === undefined ? prefixes : [prefix]) {
    for await (const group of groupsBelow(below, from.objects, to.objects)) {
      const [, source] = /^raw\/([^/]+)\//.exec(group.pairs[0]?.key ?? "") ?? [];
      if (source !== undefined) sources.add(source);
      yield async () => group;
    }
  }
}

/** The objects of a run, and those that they refer to. */
async function* groupsOfRun(run: RunRecord, { from, to }: SyncRequest): AsyncGenerator<GroupLookup> {
  for await (const key of keysOfTasks(run.runId, from.objects))
    yield () => groupOf(key, from.objects, to.objects);
  const dataset = run.status === "finished" && run.dataset !== undefined ? [run.dataset] : [];
  for (const below of [objectKeys.run(run.runId), ...dataset]) {
    for await (const group of groupsBelow(below, from.objects, to.objects)) yield async () => group;
  }
}

/** Archives and reference trajectories of a run's tasks; none before its tasks are prepared. */
async function* keysOfTasks(runId: string, objects: ObjectStore): AsyncGenerator<string> {
  try {
    for await (const { hash, references } of readRunTasks(runId, objects)) {
      yield objectKeys.task(hash);
      for (const { trajectoryKey } of references) yield trajectoryKey;
    }
  } catch (error) {
    if (!isTracemillError(error, "not-found")) throw error;
  }
}
