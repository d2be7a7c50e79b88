import { isTracemillError, messageOf, TracemillError } from "../errors.ts";
import type { Lease, TrialRecord } from "../run/trial.ts";
import type { TrialDeps } from "./deps.ts";
import { type HeldRecord, writeTrialRecord } from "./record.ts";

/** How often a lease is renewed, unless its owner says otherwise. */
const defaultHeartbeatMs = 20_000;

/** A lease unrenewed for this long is free to take: three heartbeats. */
export const leaseMs = 3 * defaultHeartbeatMs;

/** Renewals that may fail in a row (a store that another process keeps busy) before a lease is given up. */
const maxFailures = 3;

export type Leased = Extract<TrialRecord, { lease?: Lease | undefined }>;

type LeaseDeps = Pick<TrialDeps, "owner" | "clock">;

function heartbeatOf({ owner }: LeaseDeps): number {
  return owner.heartbeatMs ?? defaultHeartbeatMs;
}

export function newLease(deps: LeaseDeps): Lease {
  return { owner: deps.owner.id, until: deps.clock.now() + 3 * heartbeatOf(deps) };
}

/** Whether somebody else is at work under this lease. */
export function isHeldByOther(lease: Lease | undefined, deps: LeaseDeps): boolean {
  if (lease === undefined || lease.owner === deps.owner.id) return false;
  return lease.until > deps.clock.now() && !deps.owner.isGone(lease.owner);
}

/** Whether a lease is this process's own, with time enough until the first heartbeat. */
export function isOwnAndFresh(lease: Lease | undefined, deps: LeaseDeps): boolean {
  return lease?.owner === deps.owner.id && lease.until > deps.clock.now() + heartbeatOf(deps);
}

/**
 * Renews a lease in the background while `work` runs, and hands `work` a signal that is aborted with
 * `lease-lost` when it is lost, so that two processes never write one thing. Nothing is renewed any more once
 * it returns.
 * @param renew writes the new lease; false when somebody else has taken it.
 */
export async function whileRenewing<T>(
  renew: (lease: Lease) => Promise<boolean>,
  deps: LeaseDeps,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const lost = new AbortController();
  const heartbeat = renewUntil(done.signal, renew, deps, lost);
  try {
    return await work(lost.signal);
  } finally {
    // With a reason of its own, since the usual one is an error with a stack: 0.05 ms for each trial.
    done.abort("done");
    await heartbeat;
  }
}

async function renewUntil(
  done: AbortSignal,
  renew: (lease: Lease) => Promise<boolean>,
  deps: LeaseDeps,
  lost: AbortController,
): Promise<void> {
  let failures = 0;
  while (!lost.signal.aborted) {
    try {
      await deps.clock.sleep(heartbeatOf(deps), done);
    } catch {
      return;
    }
    try {
      if (!(await renew(newLease(deps)))) lost.abort(leaseLost("another process has taken it over"));
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures >= maxFailures) lost.abort(leaseLost(`it could not be renewed: ${messageOf(error)}`));
    }
  }
}

function leaseLost(why: string): TracemillError {
  return new TracemillError("lease-lost", `the lease was lost: ${why}`);
}

/** What is left to somebody who has lost the lease: the trial is another process's now. */
export async function busyWhenLost<T>(work: () => Promise<T>): Promise<T | "busy"> {
  try {
    return await work();
  } catch (error) {
    if (isTracemillError(error, "lease-lost")) return "busy";
    throw error;
  }
}

/**
 * Holds a trial's lease while `work` runs.
 * @param progress what the row says besides, each time that the lease is renewed.
 * @returns what `work` returned, and the row as last renewed, for the write that ends the lease.
 */
export async function underLease<R extends Leased, T>(
  held: HeldRecord<R>,
  deps: TrialDeps,
  work: (lost: AbortSignal) => Promise<T>,
  progress: () => Partial<R> = () => ({}),
): Promise<{ value: T; held: HeldRecord<R> }> {
  let current = held;
  const renew = async (lease: Lease): Promise<boolean> => {
    const renewed = await writeTrialRecord(
      deps.records,
      deps.runId,
      { ...current.row, ...progress(), lease },
      current,
    );
    current = renewed ?? current;
    return renewed !== undefined;
  };
  const value = await whileRenewing(renew, deps, work);
  return { value, held: current };
}
