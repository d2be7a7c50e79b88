import { parseTrajectory, type Trajectory } from "../../atif/trajectory.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { rewardOf } from "../../run/outcome.ts";
import type { AttemptResult } from "../../run/result.ts";
import type { AttemptSummary } from "../../run/trial.ts";
import { readJson } from "../../stored-json.ts";
import { unzstdStream } from "../../streams.ts";
import { reasonOf } from "../../trial/result.ts";
import { type LayerEntry, readLayer } from "../../workspace/layer.ts";
import { exceptionOfOutcome } from "./exceptions.ts";
import type { WrittenFile } from "./folder.ts";
import { trialPath } from "./imported-files.ts";
import { splitTrajectory } from "./trajectory-files.ts";
import {
  json,
  type NamedTrial,
  rewardFile,
  rewardsOf,
  trialConfig,
  trialLock,
  trialResult,
} from "./trial-documents.ts";

/** A trial of ours, with the attempt that stands for it. */
export interface ExportedTrial {
  result: AttemptResult;
  /** All of its attempts, for its log: Harbor's folders have room for one. */
  attempts: readonly AttemptSummary[];
  trajectory: Trajectory | undefined;
  named: NamedTrial;
}

/** @throws TracemillError `not-found`, `storage-corrupt`, `invalid-trajectory`. */
export async function readStandingTrajectory(
  { objects: { trajectory: key } }: AttemptResult,
  objects: Pick<ObjectStore, "get">,
): Promise<Trajectory | undefined> {
  return key === undefined ? undefined : parseTrajectory(await readJson(objects, key), key);
}

/** The files of a trial folder of Harbor's, `result.json` last. */
export async function* trialFiles(
  trial: ExportedTrial,
  objects: Pick<ObjectStore, "get">,
): AsyncGenerator<WrittenFile> {
  const { result, trajectory, named } = trial;
  yield { path: "config.json", body: json(trialConfig(result.trial, named)) };
  yield { path: "lock.json", body: json(trialLock(result)) };
  yield { path: "trial.log", body: log(trial) };
  const exception = exceptionOfOutcome(result.outcome);
  if (exception !== undefined)
    yield { path: "exception.txt", body: `${exception.type}: ${exception.message}\n` };
  for (const [name, document] of Object.entries(trajectory === undefined ? {} : splitTrajectory(trajectory)))
    yield { path: `agent/${name}`, body: json(document) };
  yield* verifierFiles(result);
  yield* workspaceFiles(result, objects);
  yield { path: "result.json", body: json(trialResult(result, trajectory, named)) };
}

function* verifierFiles(result: AttemptResult): Generator<WrittenFile> {
  const last = result.verifications.at(-1);
  const rewards = rewardsOf(result);
  if (last?.stdout !== undefined) yield { path: "verifier/test-stdout.txt", body: last.stdout };
  if (last?.stderr !== undefined) yield { path: "verifier/test-stderr.txt", body: last.stderr };
  if (rewards !== undefined) yield rewardFile(rewards);
}

/** One line an attempt: how it ended, and what it was worth. */
function log({ result, attempts }: ExportedTrial): string {
  const lines = attempts.map((each) => {
    const reward = rewardOf(each.outcome);
    const verdict = reward === undefined ? "" : ` with reward ${reward} by ${each.decidedBy}`;
    const reason = reasonOf(each.outcome);
    return `${each.endedAt} attempt ${each.attempt}: ${each.outcome.kind}${verdict}${reason === undefined ? "" : `: ${reason}`}`;
  });
  return [`Tracemill ${result.runId} ${result.trial.trialId}`, ...lines, ""].join("\n");
}

/** What the agent left. Folders come with their files. */
async function* workspaceFiles(
  { objects: { artifacts: key } }: AttemptResult,
  objects: Pick<ObjectStore, "get">,
): AsyncGenerator<WrittenFile> {
  const stored = key === undefined ? undefined : await objects.get(key);
  if (stored === undefined) return;
  const collected: ManifestEntry[] = [];
  for await (const entry of readLayer(unzstdStream(stored))) {
    const path = entry.type === "directory" || entry.type === "opaque" ? undefined : trialPath(entry.path);
    if (path === undefined) continue;
    if (path.startsWith("artifacts/")) collected.push(manifestEntry(entry, path));
    if (entry.type === "file") yield { path, body: entry.body };
  }
  if (collected.length > 0) yield { path: "artifacts/manifest.json", body: json(collected) };
}

/** A line of `artifacts/manifest.json`. Links and deletions are said to be skipped. */
function manifestEntry({ type, path }: LayerEntry, destination: string) {
  const status = type === "file" ? "ok" : "skipped";
  return { source: `/${path}`, destination, type: "file", status };
}
type ManifestEntry = ReturnType<typeof manifestEntry>;
