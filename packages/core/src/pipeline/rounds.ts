import * as z from "zod";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Shard } from "../run/plan.ts";
import { readShardRecords } from "../run/progress.ts";
import type { ShardFailure, ShardRecord } from "../run/shard-record.ts";
import type { RunSpec } from "../run/spec.ts";
import { addTallies, emptyTally } from "../run/tally.ts";
import { findStored } from "../stored-json.ts";
import { RunBudget } from "../trial/budget.ts";
import { readPlan } from "./plan-run.ts";

/** Rounds in which nothing at all happened, after which a run is stopped rather than tried for ever. */
const idleRounds = 3;

const dayMs = 24 * 60 * 60 * 1_000;

/** A shard with work left. */
export interface OpenShard {
  shard: Shard;
  /** Every trial's agent is done: only verification is left. */
  traced: boolean;
}

/** What to do next with a run, by what is stored of it. */
export type Round =
  | { next: "shards"; shards: OpenShard[] }
  | { next: "export"; trials: number }
  | { next: "stopped"; reason: string };

export interface RoundInput {
  runId: string;
  /** A shard that failed in this execution is not tried again in it. */
  execution: string;
  /** Rounds done so far in this execution. */
  round: number;
  /** When the run was started or resumed (ms since the epoch). */
  startedAt: number;
  /** Its first round looks again at shards with trials that ended without a valid outcome. */
  resumed: boolean;
}

interface RoundDeps {
  objects: ObjectStore;
  records: Pick<RecordStore, "query">;
  spec: RunSpec;
  clock: { now(): number };
}

const RoundState = z.strictObject({ schemaVersion: z.literal(1), work: z.number().int() });

/**
 * Decides a run's next round from its plan and its shards' rows; no trial's row is read. The same input over the same
 * rows gives the same round.
 */
export async function nextRound(input: RoundInput, deps: RoundDeps): Promise<Round> {
  const { runId } = input;
  const { shards, trials } = await readPlan(runId, deps.objects);
  const rows = new Map<string, ShardRecord>();
  for await (const row of readShardRecords(runId, deps.records)) rows.set(row.shardId, row);
  const open = shards.filter((shard) => isOpen(shard, rows.get(shard.shardId), input));
  if (open.length === 0) return { next: "export", trials };
  const spent = reachedCap(rows.values(), input, deps);
  if (spent !== undefined) return { next: "stopped", reason: spent };
  const failures = open.flatMap(({ shardId }) => failureIn(rows.get(shardId), input) ?? []);
  const left = open.filter(({ shardId }) => failureIn(rows.get(shardId), input) === undefined);
  if (left.length === 0) return { next: "stopped", reason: inWords(failures) };
  if (await isStuck(rows.values(), input, deps.objects)) {
    return {
      next: "stopped",
      reason: `${left.length} shards stay unfinished though their jobs end well; \`tracemill logs ${runId}\` says what they do`,
    };
  }
  return { next: "shards", shards: left.map((shard) => openShard(shard, rows.get(shard.shardId), input)) };
}

function isOpen(shard: Shard, row: ShardRecord | undefined, input: RoundInput): boolean {
  return row === undefined || row.tally.ended < shard.trials || mayReopen(row, input);
}

/** A resumed run begins again what ended without a valid outcome; which trials these are, the workers see. */
function mayReopen({ tally, updatedAt }: ShardRecord, { resumed, startedAt }: RoundInput): boolean {
  if (!resumed || Date.parse(updatedAt) >= startedAt) return false;
  return Object.keys(tally.outcomes).some((kind) => kind !== "scored" && kind !== "agent-failed");
}

function openShard(shard: Shard, row: ShardRecord | undefined, input: RoundInput): OpenShard {
  const tally = row?.tally ?? emptyTally();
  const traced = tally.traced + tally.ended >= shard.trials && (row === undefined || !mayReopen(row, input));
  return { shard, traced };
}

/** AWS forgets an execution after 90 days, and its name may come again; clocks differ by less than a day. */
function failureIn(
  row: ShardRecord | undefined,
  { execution, startedAt }: RoundInput,
): ShardFailure | undefined {
  return row?.failures.findLast(
    (failure) => failure.execution === execution && Date.parse(failure.at) > startedAt - dayMs,
  );
}

function inWords(failures: readonly ShardFailure[]): string {
  const [first] = failures;
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more shards)` : "";
  return `${first?.reason ?? "a shard failed"}${others}`;
}

function reachedCap(
  rows: Iterable<ShardRecord>,
  { startedAt }: RoundInput,
  deps: RoundDeps,
): string | undefined {
  const budget = new RunBudget(deps.spec.limits.run, startedAt);
  budget.raiseTo(sum(rows).usage);
  return budget.exceeded(deps.clock.now());
}

function sum(rows: Iterable<ShardRecord>): ReturnType<typeof emptyTally> {
  let tally = emptyTally();
  for (const row of rows) tally = addTallies(tally, row.tally);
  return tally;
}

/** Notes how far the run is, and tells whether it was just as far some rounds ago. */
async function isStuck(
  rows: Iterable<ShardRecord>,
  { runId, execution, round }: RoundInput,
  objects: ObjectStore,
): Promise<boolean> {
  const { ended, traced, attempts } = sum(rows);
  const work = ended + traced + attempts;
  const keyOf = (of: number): string => objectKeys.runRound(runId, execution, of, "state");
  await objects.put(keyOf(round), Buffer.from(`${JSON.stringify({ schemaVersion: 1, work })}\n`));
  if (round < idleRounds) return false;
  return (await findStored(objects, keyOf(round - idleRounds), RoundState))?.work === work;
}
