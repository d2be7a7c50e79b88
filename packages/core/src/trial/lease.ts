import { messageOf } from "../errors.ts";
import type { Lease, TrialRecord } from "../run/trial.ts";
import type { TrialDeps } from "./deps.ts";
import { type HeldRecord, writeTrialRecord } from "./record.ts";

/** A lease unrenewed for this long is free to take: three heartbeats. */
export const leaseMs = 60_000;

export type Leased = Extract<TrialRecord, { lease?: Lease | undefined }>;

export function newLease(deps: Pick<TrialDeps, "owner" | "clock">): Lease {
  return { owner: deps.owner.id, until: deps.clock.now() + leaseMs };
}

/** Whether somebody else is at work under this lease. */
export function isHeldByOther(lease: Lease | undefined, deps: Pick<TrialDeps, "owner" | "clock">): boolean {
  if (lease === undefined || lease.owner === deps.owner.id) return false;
  return lease.until > deps.clock.now() && !deps.owner.isGone(lease.owner);
}

/**
 * Renews a row's lease in the background while `work` runs, and hands `work` a signal that is aborted when
 * the lease is lost, so that two processes never write one attempt.
 * @returns what `work` returned, and the row as last renewed, for the write that ends the lease.
 */
export async function underLease<R extends Leased, T>(
  held: HeldRecord<R>,
  deps: TrialDeps,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<{ value: T; held: HeldRecord<R> }> {
  const done = new AbortController();
  const lost = new AbortController();
  const state = { held };
  const heartbeat = renewUntil(done.signal, state, deps, lost);
  try {
    const value = await work(lost.signal);
    done.abort();
    await heartbeat;
    return { value, held: state.held };
  } finally {
    done.abort();
    await heartbeat;
  }
}

async function renewUntil<R extends Leased>(
  done: AbortSignal,
  state: { held: HeldRecord<R> },
  deps: TrialDeps,
  lost: AbortController,
): Promise<void> {
  while (!done.aborted) {
    try {
      await deps.clock.sleep(leaseMs / 3, done);
    } catch {
      return;
    }
    try {
      const row = { ...state.held.row, lease: newLease(deps) };
      const renewed = await writeTrialRecord(deps.records, deps.runId, row, state.held);
      if (renewed !== undefined) state.held = renewed;
      else lost.abort(new Error("the lease was taken over"));
    } catch (error) {
      lost.abort(new Error(`the lease could not be renewed: ${messageOf(error)}`));
    }
    if (lost.signal.aborted) return;
  }
}
