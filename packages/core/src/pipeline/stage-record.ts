import { z } from "zod";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import { Lease } from "../run/trial.ts";
import { isHeldByOther, newLease, whileRenewing } from "../trial/lease.ts";
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
      await deps.clock.sleep(pollMs, AbortSignal.any([deps.signal, deps.draining]));
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
  let held = version;
  const renew = async (lease: Lease): Promise<boolean> => {
    const renewed = await deps.records.put(key, { ...claim, lease }, { version: held });
    held = renewed ?? held;
    return renewed !== undefined;
  };
  const output = await whileRenewing(renew, deps, () => steps[name](runId, outputs, deps));
  const endedAt = new Date(deps.clock.now()).toISOString();
  const { schemaVersion, startedAt } = claim;
  const row: StageRecord = { schemaVersion, status: "done", startedAt, endedAt, output };
  if ((await deps.records.put(key, row, { version: held })) !== undefined) return output;
  throw new TracemillError("lease-lost", `stage ${name}: another process took it over`);
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
