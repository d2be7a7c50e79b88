import { z } from "zod";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import { Lease } from "../run/trial.ts";
import { isHeldByOther, leaseMs, newLease } from "../trial/lease.ts";
import { parseAs } from "../validation.ts";
import type { PipelineDeps } from "./deps.ts";
import { type StepOutput, steps } from "./handlers.ts";
import type { StepName } from "./stages.ts";

const Timestamp = z.iso.datetime();

/** A step's row of a run. */
export const StageRecord = z.discriminatedUnion("status", [
  z.strictObject({
    schemaVersion: z.literal(1),
    status: z.literal("running"),
    startedAt: Timestamp,
    lease: Lease,
  }),
  z.strictObject({
    schemaVersion: z.literal(1),
    status: z.literal("done"),
    startedAt: Timestamp,
    endedAt: Timestamp,
    output: z.record(z.string(), z.unknown()),
  }),
]);
export type StageRecord = z.infer<typeof StageRecord>;

/** How often a process looks whether another one has finished a step that it waits for. */
const pollMs = 250;

/**
 * Runs a step once, whatever number of processes ask for it: the one that holds its lease does the work, the
 * others wait for its output. A step that was done before gives its stored output.
 * @param again runs it although it was done (a resumed run exports anew).
 */
export async function runStep(
  runId: string,
  name: StepName,
  outputs: Partial<Record<StepName, StepOutput>>,
  deps: PipelineDeps,
  again = false,
): Promise<{ output: StepOutput; found: boolean }> {
  for (;;) {
    const held = await readStage(runId, name, deps);
    if (held?.row.status === "done" && !again) return { output: held.row.output, found: true };
    if (held?.row.status === "running" && isHeldByOther(held.row.lease, deps)) {
      await deps.clock.sleep(pollMs, deps.signal);
      continue;
    }
    const startedAt = new Date(deps.clock.now()).toISOString();
    const claim: StageRecord = { schemaVersion: 1, status: "running", startedAt, lease: newLease(deps) };
    const version = await deps.records.put(
      recordKeys.stage(runId, name),
      claim,
      held === undefined ? "absent" : { version: held.version },
    );
    if (version === undefined) continue;
    return { output: await workUnderLease(runId, name, outputs, claim, version, deps), found: false };
  }
}

async function workUnderLease(
  runId: string,
  name: StepName,
  outputs: Partial<Record<StepName, StepOutput>>,
  claim: Extract<StageRecord, { status: "running" }>,
  version: number,
  deps: PipelineDeps,
): Promise<StepOutput> {
  const key = recordKeys.stage(runId, name);
  const done = new AbortController();
  const state = { version };
  const heartbeat = renew(done.signal, state, key, claim, deps);
  try {
    const output = await steps[name](runId, outputs, deps);
    done.abort();
    await heartbeat;
    const endedAt = new Date(deps.clock.now()).toISOString();
    const { schemaVersion, startedAt } = claim;
    const row: StageRecord = { schemaVersion, status: "done", startedAt, endedAt, output };
    if ((await deps.records.put(key, row, { version: state.version })) === undefined) {
      throw new TracemillError("lease-lost", `stage ${name}: another process took it over`);
    }
    return output;
  } finally {
    done.abort();
    await heartbeat;
  }
}

async function renew(
  done: AbortSignal,
  state: { version: number },
  key: { pk: string; sk: string },
  claim: Extract<StageRecord, { status: "running" }>,
  deps: PipelineDeps,
): Promise<void> {
  while (!done.aborted) {
    try {
      await deps.clock.sleep(leaseMs / 3, done);
    } catch {
      return;
    }
    const renewed = await deps.records.put(
      key,
      { ...claim, lease: newLease(deps) },
      { version: state.version },
    );
    if (renewed === undefined) return;
    state.version = renewed;
  }
}

export async function readStage(
  runId: string,
  name: StepName,
  { records }: Pick<PipelineDeps, "records">,
): Promise<{ version: number; row: StageRecord } | undefined> {
  const key = recordKeys.stage(runId, name);
  const stored = await records.get(key);
  if (stored === undefined) return undefined;
  const row = parseAs(StageRecord, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
  return { version: stored.version, row };
}
