import { readShard } from "@tracemill/core/pipeline/plan-run.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { Trial } from "@tracemill/core/run/trial.ts";

/** Any trial of a shard tells what all have in common: model and environment. @throws TracemillError `not-found`. */
export async function firstTrial(
  runId: string,
  shardId: string,
  objects: ObjectStore,
): Promise<Trial | undefined> {
  for await (const trial of readShard(runId, { shardId }, objects)) return trial;
  return undefined;
}
