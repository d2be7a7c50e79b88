import type { CollectInput, CollectResult } from "@tracemill/aws/pipeline/messages.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import { isTracemillError } from "@tracemill/core/errors.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { nextRound, type OpenShard } from "@tracemill/core/pipeline/rounds.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { jobKindOf } from "@tracemill/core/run/job-kind.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TaskImages } from "../ports.ts";
import { imageItem, type JobSource, shardItem } from "./job-items.ts";

/** Image builds at once: each takes a machine's disk and network for minutes. */
const buildsAtOnce = 10;

/** Trials whose export surely fits a function's 15 minutes and its disk; one that does not goes on in a job. */
const smallExport = 2_000;

export interface CollectDeps {
  objects: ObjectStore;
  records: Pick<RecordStore, "query">;
  spec: RunSpec;
  clock: Clock;
  stack: StackInfo;
  /** Asked only for runs whose sandboxes are containers of task images. */
  taskImages(): Promise<TaskImages>;
}

/**
 * Decides what a run's execution does next, and stores the list of it. Calling it again with the same input over
 * the same rows stores and decides the same.
 */
export async function collectRound(input: CollectInput, deps: CollectDeps): Promise<CollectResult> {
  const { round } = input;
  const next = await nextRound(input, deps);
  if (next.next === "stopped") return { ...next, round };
  if (next.next === "export") return { next: "export", round, in: exportPlace(next.trials, deps.stack) };
  try {
    return await workRound(input, next.shards, deps);
  } catch (error) {
    // The spec wants what this stage cannot give: the run ends with those words instead of a failed state.
    if (!isTracemillError(error, "unsupported")) throw error;
    return { next: "stopped", round, reason: error.message };
  }
}

function exportPlace(trials: number, { functions }: StackInfo): "function" | "job" {
  return trials <= smallExport && functions["export-small"] !== undefined ? "function" : "job";
}

async function workRound(
  input: CollectInput,
  shards: readonly OpenShard[],
  deps: CollectDeps,
): Promise<CollectResult> {
  const source: JobSource = { input, spec: deps.spec, stack: deps.stack };
  const missing = await missingImages(shards, deps);
  if (missing.length > 0) {
    const items = { of: missing, toItem: (environment: string) => imageItem(environment, source) };
    return store(input, "images", items, buildsAtOnce, deps);
  }
  const toItem = ({ shard, traced }: OpenShard) => shardItem(shard, traced, source);
  return store(input, "shards", { of: shards, toItem }, deps.spec.aws.jobs, deps);
}

/** What a list is made of: each entry becomes an item when it is written, since items are ten times as large. */
interface Items<T> {
  of: readonly T[];
  toItem(entry: T): unknown;
}

async function missingImages(shards: readonly OpenShard[], deps: CollectDeps): Promise<string[]> {
  const wanting = shards.filter(({ shard, traced }) => {
    const stages = traced ? (["evaluate"] as const) : (["trace", "evaluate"] as const);
    return stages.some((stage) => jobKindOf(shard, stage, deps.spec) === "sandbox");
  });
  if (wanting.length === 0) return [];
  const environments = [...new Set(wanting.map(({ shard }) => shard.environment))];
  return (await deps.taskImages()).missing(environments);
}

async function store<T>(
  { runId, execution, round }: CollectInput,
  what: "images" | "shards",
  items: Items<T>,
  concurrency: number,
  { objects, stack }: CollectDeps,
): Promise<CollectResult> {
  const key = objectKeys.runRound(runId, execution, round, what);
  await objects.put(key, jsonArray(items));
  const results = objectKeys.runRoundResults(runId, execution);
  const list = { bucket: stack.bucket, key, count: items.of.length, concurrency, results };
  return { next: what, round: round + 1, list };
}

/** A list of 15,000 shards has some 25 MB, which are never held as one text. */
async function* jsonArray<T>({ of, toItem }: Items<T>): AsyncGenerator<Uint8Array> {
  for (const [index, entry] of of.entries())
    yield Buffer.from(`${index === 0 ? "[" : ","}\n${JSON.stringify(toItem(entry))}`);
  yield Buffer.from(of.length === 0 ? "[]\n" : "\n]\n");
}
