import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import { Lease } from "../run/trial.ts";
import { busyWhenLost, isHeldByOther, newLease, whileRenewing } from "../trial/lease.ts";
import { parseAs } from "../validation.ts";
import type { PipelineDeps } from "./deps.ts";
import { type StepHandler, type StepOutput, steps } from "./handlers.ts";
import { type StepName, stages } from "./stages.ts";

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
 * others wait for its output. A step that was done before gives its stored output. A step that fails, or is
 * stopped, is free for the next one at once.
 * @param again runs it although it was done (a resumed run exports anew).
 */
export async function runStep(
  runId: string,
  name: StepName,
  outputs: Partial<Record<StepName, StepOutput>>,
  deps: PipelineDeps,
  again = false,
): Promise<{ output: StepOutput; found: boolean }> {
  return runStepBy(steps[name], { runId, name, outputs }, deps, again);
}

interface StepCall {
  runId: string;
  name: StepName;
  /** Of the steps that ran before. */
  outputs: Partial<Record<StepName, StepOutput>>;
}

/** The same, for a program that has one step only: `work` is that step's handler. */
export async function runStepBy(
  work: StepHandler,
  call: StepCall,
  deps: PipelineDeps,
  again = false,
): Promise<{ output: StepOutput; found: boolean }> {
  const { runId, name } = call;
  for (;;) {
    const held = await readStage(runId, name, deps);
    if (held?.row.status === "done" && !again) return { output: held.row.output, found: true };
    if (held?.row.status === "running" && isHeldByOther(held.row.lease, deps)) {
      await deps.clock.sleep(pollMs, deps.signal);
      continue;
    }
    const done = await busyWhenLost(() => claimAndWork(work, call, held?.version, deps));
    if (done !== "busy") return { output: done, found: false };
  }
}

async function claimAndWork(
  work: StepHandler,
  { runId, name, outputs }: StepCall,
  found: number | undefined,
  deps: PipelineDeps,
): Promise<StepOutput> {
  const { records, clock } = deps;
  const key = recordKeys.stage(runId, name);
  const base = { schemaVersion: 1, startedAt: new Date(clock.now()).toISOString() } as const;
  let held = found;
  const write = async (row: StageRecord): Promise<boolean> => {
    const condition = held === undefined ? "absent" : { version: held };
    const version = await records.put(key, row, condition);
    held = version ?? held;
    return version !== undefined;
  };
  const renew = (lease: Lease) => write({ ...base, status: "running", lease });
  if (!(await renew(newLease(deps)))) throw takenOver(name);
  try {
    const output = await whileRenewing(renew, deps, (lost) =>
      work(runId, outputs, { ...deps, signal: AbortSignal.any([deps.signal, lost]) }),
    );
    const endedAt = new Date(clock.now()).toISOString();
    if (!(await write({ ...base, status: "done", endedAt, output }))) throw takenOver(name);
    return output;
  } catch (error) {
    // Freed by its version: when the lease is another process's now, so is the row.
    const isOurs = held !== undefined && (await records.delete(key, { version: held }).catch(() => true));
    throw isOurs ? error : takenOver(name);
  }
}

function takenOver(name: StepName): TracemillError {
  return new TracemillError("lease-lost", `stage ${name}: another process took it over`);
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

/** What the steps before `name` put out, those that are done: for a process that knows of no other. */
export async function outputsBefore(
  runId: string,
  name: StepName,
  deps: Pick<PipelineDeps, "records">,
): Promise<Partial<Record<StepName, StepOutput>>> {
  const outputs: Partial<Record<StepName, StepOutput>> = {};
  for (const stage of stages) {
    if (stage.name === name) break;
    if (stage.kind !== "step") continue;
    const held = await readStage(runId, stage.name, deps);
    if (held?.row.status === "done") outputs[stage.name] = held.row.output;
  }
  return outputs;
}
