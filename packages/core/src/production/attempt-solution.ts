import { TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import { listRuns } from "../run/runs.ts";
import { readJson } from "../stored-json.ts";
import { readTrialRecord } from "../trial/record.ts";
import { readResult } from "../trial/result.ts";

/** A finished attempt of ours, as a solution to submit. */
export interface AttemptSolution {
  /** The production task that the attempt was made on; absent when its task came from elsewhere. */
  taskId?: string;
  solution: Record<string, unknown>;
  /** Key of its packed workspace changes and outputs (`tar.zst`); absent when it has none. */
  artifacts?: string;
}

/**
 * What an attempt would be as a solution: its trajectory (ATIF), its agent and model, and under `metadata` where it
 * came from and what we made of it. The verdict is the API's to give, so no `evaluation` is sent.
 * @param reference `trl_…`, or `trl_…/2` for an attempt other than the last.
 * @throws TracemillError `not-found`; `invalid-input` when the attempt left no trajectory.
 */
export async function attemptSolution(
  reference: string,
  stores: { objects: ObjectStore; records: RecordStore },
): Promise<AttemptSolution> {
  const result = await findAttempt(reference, stores);
  const { trial, objects, runId, attempt } = result;
  if (objects.trajectory === undefined) {
    throw new TracemillError(
      "invalid-input",
      `attempt ${attempt} of ${trial.trialId} ended as ${result.outcome.kind} and has no trajectory to submit; choose another attempt`,
    );
  }
  const { origin } = trial.task;
  return {
    ...(origin.kind === "snapshot" ? { taskId: origin.taskId } : {}),
    solution: {
      agent: trial.agent.name,
      ...(trial.agent.model === undefined ? {} : { model: trial.agent.model }),
      created_at: result.endedAt,
      trajectory: await readJson(stores.objects, objects.trajectory),
      metadata: { run_id: runId, trial_id: trial.trialId, attempt, ...verdictOf(result) },
    },
    ...(objects.artifacts === undefined ? {} : { artifacts: objects.artifacts }),
  };
}

function verdictOf({ outcome, decidedBy }: AttemptResult): Record<string, unknown> {
  const reward = rewardOf(outcome);
  return { outcome: outcome.kind, decided_by: decidedBy, ...(reward === undefined ? {} : { reward }) };
}

async function findAttempt(
  reference: string,
  { objects, records }: { objects: ObjectStore; records: RecordStore },
): Promise<AttemptResult> {
  const [, trialId, wanted] = /^(trl_[0-9a-f]+)(?:\/(\d+))?$/.exec(reference) ?? [];
  if (trialId === undefined) {
    throw new TracemillError(
      "invalid-input",
      `${reference}: give an attempt as trl_…, or trl_…/2 for its second one`,
    );
  }
  for await (const { runId } of listRuns(records, { newestFirst: true })) {
    const held = await readTrialRecord(records, runId, trialId);
    const attempts = held?.row.attempts ?? [];
    const found =
      wanted === undefined ? attempts.at(-1) : attempts.find(({ attempt }) => attempt === Number(wanted));
    if (found !== undefined)
      return readResult(objectKeys.attempt(runId, trialId, found.attempt, "result.json"), objects);
  }
  throw new TracemillError(
    "not-found",
    `no ended attempt ${reference} here; \`tracemill show RUN --trials\` lists trials`,
  );
}
