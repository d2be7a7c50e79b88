import type { EndInput } from "@tracemill/aws/pipeline/messages.ts";
import { readStage } from "@tracemill/core/pipeline/stage-record.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { readRun, setRunState } from "@tracemill/core/run/runs.ts";

/** Writes how a run ended: finished, with the dataset that its export wrote, or stopped, with the reason. */
export async function endRun(
  { runId, status, reason = "stopped" }: EndInput,
  { records, clock }: { records: RecordStore; clock: Clock },
): Promise<RunRecord> {
  const now = new Date(clock.now()).toISOString();
  if (status === "stopped") return setRunState(runId, { status, stoppedAt: now, reason }, records);
  const row = (await readStage(runId, "export", { records }))?.row;
  const dataset = row?.status === "done" ? row.output.dataset : undefined;
  const named = typeof dataset === "string" ? { dataset } : {};
  const run = await readRun(runId, records);
  // A call that is repeated moves no date.
  if (run.status === "finished" && run.dataset === named.dataset) return run;
  return setRunState(runId, { status, finishedAt: now, ...named }, records);
}
