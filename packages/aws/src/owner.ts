import type { Owner } from "@tracemill/core/trial/deps.ts";

/** Every renewal is a paid write, and who is gone is mostly known: five minutes, so leases of fifteen. */
const heartbeatMs = 300_000;

/** A Batch job at work on a shard. */
export interface BatchWorker {
  execution: string;
  stage: string;
  /** A shard's id, or `-`. */
  target: string;
  jobId: string;
  /** 1 for the job's first attempt. */
  attempt: number;
}

/**
 * A job as an owner of leases. Within one execution a shard has one job at a time, `evaluate` after `trace`, and Batch
 * runs one attempt of a job after the other: so a job knows that every other owner of its shard in this execution is
 * gone. An earlier execution's jobs may still be ending; their leases have to run out. But a row that waits for its
 * verification is one that `trace` is done with, in whatever execution that was.
 */
export function batchOwner({ execution, stage, target, jobId, attempt }: BatchWorker): Owner {
  const place = `batch/${execution}/${target}/`;
  const id = `${place}${stage}/${jobId}/${attempt}`;
  const isDone = (other: string) => stage === "evaluate" && isTracerOf(target, other);
  return { id, heartbeatMs, isGone: (other) => other !== id && (other.startsWith(place) || isDone(other)) };
}

function isTracerOf(target: string, owner: string): boolean {
  const [home, , shard, stage] = owner.split("/");
  return home === "batch" && shard === target && stage === "trace";
}
