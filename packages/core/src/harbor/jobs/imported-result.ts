import { isTracemillError, messageOf } from "../../errors.ts";
import { objectKeys } from "../../keys.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { createRedactor } from "../../redact/create.ts";
import { namesOf, redactTar } from "../../redact/redact-tar.ts";
import { redactionsOf } from "../../redact/redactor.ts";
import type { ScanningRedactor } from "../../redact/scanning-redactor.ts";
import type { OutcomeKind } from "../../run/outcome.ts";
import type { AttemptResult } from "../../run/result.ts";
import type { AttemptSummary, Trial, TrialRecord } from "../../run/trial.ts";
import { writeTrialRecord } from "../../trial/record.ts";
import { redactedTrajectory } from "../../trial/redacted-trajectory.ts";
import { storeResult } from "../../trial/result.ts";
import { storeWorkspace } from "../../trial/workspace.ts";
import { writeLayer } from "../../workspace/layer.ts";
import type { TrialFolder } from "./folder.ts";
import { attemptOf } from "./imported-attempt.ts";
import { type LeftFile, workspaceEntries } from "./imported-files.ts";
import { type ReadTrial, readContents, type TrialContents } from "./imported-trial.ts";

/** A trial that is not in the run yet. */
export interface AddedTrial {
  runId: string;
  trial: Trial;
  folder: TrialFolder;
  read: Extract<ReadTrial, { status: "read" }>;
  /** ISO time for a trial that says none. */
  fallbackTime: string;
}

export interface TakenTrial {
  trial: Trial;
  outcome: OutcomeKind;
  hasTrajectory: boolean;
  filesLeft: number;
  problems: { where: string; reason: string }[];
}

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

/** Reads all of a trial folder and stores it as the one attempt of an ended trial. @param stores absent: only reads. */
export async function takeTrial(added: AddedTrial, stores: Stores | undefined): Promise<TakenTrial> {
  const { trial, folder, read, fallbackTime } = added;
  const steps = read.result.step_results?.map((step) => step.step_name) ?? [];
  const contents = await readContents(folder, steps);
  const redactor = createRedactor();
  const attempt = redactor.json(attemptOf(read.result, contents.output, fallbackTime));
  const left: LeftFile[] = [];
  const problems = [...contents.problems];
  if (stores !== undefined) {
    const kept = await storeObjects(added, contents, { left, problems, redactor }, stores);
    await storeEnded(added, { ...attempt, ...kept, ...redactionsOf(redactor) }, stores);
  } else for await (const _ of workspaceEntries(folder, (file) => left.push(file)));
  const inTrial = (reason: string) => ({ where: folder.name, reason });
  return {
    trial,
    outcome: attempt.outcome.kind,
    hasTrajectory: contents.trajectory !== undefined,
    filesLeft: left.length,
    problems: [
      ...problems.map(inTrial),
      ...left.map(({ path, reason }) => inTrial(`${path}: left out, ${reason}`)),
    ],
  };
}

async function storeObjects(
  { runId, trial: { trialId }, folder }: AddedTrial,
  { trajectory }: TrialContents,
  { left, problems, redactor }: { left: LeftFile[]; problems: string[]; redactor: ScanningRedactor },
  { objects }: Stores,
): Promise<Pick<AttemptResult, "objects" | "redactedFiles">> {
  const keys = {
    trajectory: objectKeys.attempt(runId, trialId, 1, "trajectory.json"),
    artifacts: objectKeys.attempt(runId, trialId, 1, "artifacts.tar.zst"),
  };
  if (trajectory !== undefined) {
    const clean = redactedTrajectory(trajectory, redactor);
    await objects.put(keys.trajectory, Buffer.from(`${JSON.stringify(clean)}\n`));
  }
  const entries = workspaceEntries(folder, (file) => left.push(file));
  const { tar, files } = redactTar(writeLayer(entries), redactor);
  const hasFiles = await storeWorkspace(keys.artifacts, tar, objects).catch((error: unknown) => {
    // A file that changes while it is read costs the trial its files, not the import.
    if (!isTracemillError(error, "invalid-input")) throw error;
    problems.push(`its files are left out: ${messageOf(error)}`);
    return false;
  });
  return {
    objects: {
      ...(trajectory === undefined ? {} : { trajectory: keys.trajectory }),
      ...(hasFiles ? { artifacts: keys.artifacts } : {}),
    },
    ...(files.length === 0 ? {} : { redactedFiles: namesOf(files) }),
  };
}

async function storeEnded(
  { runId, trial }: AddedTrial,
  {
    startedAt,
    endedAt,
    outcome,
    decidedBy,
    usage,
    ...details
  }: Omit<AttemptResult, "schemaVersion" | "runId" | "attempt" | "trial">,
  { objects, records }: Stores,
): Promise<void> {
  const summary: AttemptSummary = {
    attempt: 1,
    startedAt,
    endedAt,
    outcome,
    decidedBy,
    ...(usage === undefined ? {} : { usage }),
  };
  const standing = await storeResult(trial, summary, details, { objects, runId });
  const { trialId } = trial;
  const row: TrialRecord = {
    schemaVersion: 1,
    trialId,
    status: "ended",
    attempts: [standing],
    endedAt: standing.endedAt,
  };
  await writeTrialRecord(records, runId, row, undefined);
}
