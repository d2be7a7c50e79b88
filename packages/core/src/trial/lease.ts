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
 * Renews a lease in the background while `work` runs, and hands `work` a signal that is aborted when the lease
 * is lost, so that two processes never write one thing. Nothing is renewed any more once it returns.
 * @param renew writes the new lease; false when somebody else has taken it.
 */
export async function whileRenewing<T>(
  renew: (lease: Lease) => Promise<boolean>,
  deps: Pick<TrialDeps, "owner" | "clock">,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const lost = new AbortController();
  const heartbeat = renewUntil(done.signal, renew, deps, lost);
  try {
    return await work(lost.signal);
  } finally {
    done.abort();
    await heartbeat;
  }
}

async function renewUntil(
  done: AbortSignal,
  renew: (lease: Lease) => Promise<boolean>,
  deps: Pick<TrialDeps, "owner" | "clock">,
  lost: AbortController,
): Promise<void> {
  while (!lost.signal.aborted) {
    try {
      await deps.clock.sleep(leaseMs / 3, done);
    } catch {
      return;
    }
    try {
      if (!(await renew(newLease(deps)))) lost.abort(new Error("the lease was taken over"));
    } catch (error) {
      lost.abort(new Error(`the lease could not be renewed: ${messageOf(error)}`));
    }
  }
}

/**
 * Holds a trial's lease while `work` runs.
 * @returns what `work` returned, and the row as last renewed, for the write that ends the lease.
 */
export async function underLease<R extends Leased, T>(
  held: HeldRecord<R>,
  deps: TrialDeps,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<{ value: T; held: HeldRecord<R> }> {
  let current = held;
  const renew = async (lease: Lease): Promise<boolean> => {
    const renewed = await writeTrialRecord(deps.records, deps.runId, { ...current.row, lease }, current);
    current = renewed ?? current;
    return renewed !== undefined;
  };
  const value = await whileRenewing(renew, deps, work);
  return { value, held: current };
}
