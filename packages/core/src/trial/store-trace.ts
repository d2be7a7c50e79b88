import type { Trajectory } from "../atif/trajectory.ts";
import { objectKeys } from "../keys.ts";
import type { AgentResult, LoadedTask } from "../ports/agent.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import { namesOf, redactTar } from "../redact/redact-tar.ts";
import type { ScanningRedactor } from "../redact/scanning-redactor.ts";
import { sparing } from "../redact/sparing.ts";
import type { Trace, Trial } from "../run/trial.ts";
import { jsonLine } from "../stored-json.ts";
import type { TrialDeps } from "./deps.ts";
import type { ExchangeLog } from "./exchange-log.ts";
import { redactedTrajectory } from "./redacted-trajectory.ts";
import { storeWorkspace } from "./workspace.ts";

/** Folders of the verification alone; the agent's workspace never includes them. */
const verifierOnly = ["/tests", "/solution"] as const;

/** What of an attempt goes to the object store, and where. */
export interface TraceStore {
  trial: Trial;
  attempt: number;
  exchanges: ExchangeLog;
  redactor: ScanningRedactor;
  deps: Pick<TrialDeps, "objects" | "runId" | "spec">;
}

type Stored = Pick<Trace, "objects" | "redactedFiles">;

/** Stores what a finished agent left: its trajectory, what it said to models, its workspace. */
export async function storeTrace(
  store: TraceStore,
  { trajectory, replay }: Pick<AgentResult, "trajectory" | "replay">,
  { task, sandbox }: { task: LoadedTask; sandbox: Sandbox | undefined },
): Promise<Stored> {
  const withReplay =
    replay === undefined ? trajectory : { ...trajectory, extra: { ...trajectory.extra, replay } };
  const key = await storeTrajectory(store, withReplay);
  const objects = { trajectory: key, ...(await storeExchanges(store)) };
  if (sandbox === undefined) return { objects };
  const artifacts = keyOf(store, "artifacts.tar.zst");
  const { tar, files } = withoutSecrets(sandbox.diff({ exclude: verifierOnly }), store, task);
  if (!(await storeWorkspace(artifacts, tar, store.deps.objects))) return { objects };
  const redactedFiles = namesOf(files);
  return {
    objects: { ...objects, artifacts },
    ...(redactedFiles.length === 0 ? {} : { redactedFiles }),
  };
}

function withoutSecrets(
  tar: AsyncIterable<Uint8Array>,
  { redactor, deps }: TraceStore,
  task: LoadedTask,
): ReturnType<typeof redactTar> {
  if (deps.spec.redact.workspace === "keep") return { tar, files: [] };
  const own = task.kind === "harbor" ? task.harbor.files : [];
  return redactTar(
    tar,
    sparing(redactor, () => own.map(({ content }) => content)),
  );
}

/** Stores what there is of an attempt that failed: what was said to models was paid for, and says why. */
export async function storeUnfinished(
  store: TraceStore,
  trajectory: Trajectory | undefined,
): Promise<{ trajectory?: string; exchanges?: string }> {
  const key = trajectory === undefined ? undefined : await storeTrajectory(store, trajectory);
  return { ...(key === undefined ? {} : { trajectory: key }), ...(await storeExchanges(store)) };
}

async function storeTrajectory(store: TraceStore, trajectory: Trajectory): Promise<string> {
  const key = keyOf(store, "trajectory.json");
  const clean = redactedTrajectory(trajectory, store.redactor);
  await store.deps.objects.put(key, Buffer.from(jsonLine(clean)));
  return key;
}

async function storeExchanges(store: TraceStore): Promise<{ exchanges?: string }> {
  const key = keyOf(store, "exchanges.jsonl.zst");
  return (await store.exchanges.store(key, store.deps.objects)) ? { exchanges: key } : {};
}

function keyOf({ trial, attempt, deps }: TraceStore, file: Parameters<typeof objectKeys.attempt>[3]): string {
  return objectKeys.attempt(deps.runId, trial.trialId, attempt, file);
}
