import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { contentId, sha256Hex } from "@tracemill/core/ids.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { Outcome } from "@tracemill/core/run/outcome.ts";
import type { AttemptResult } from "@tracemill/core/run/result.ts";
import type { AttemptSummary, Trial, TrialRecord } from "@tracemill/core/run/trial.ts";

export interface RunFixture {
  runId?: string;
  /** Ended trials; three to a task, two tasks to a group. */
  trials: number;
  /** Trials that were begun and have not ended. Default 0. */
  open?: number;
  /** Changes of a trial's parts, by its index. */
  outcome?: (index: number) => Outcome;
  trajectory?: (index: number) => Trajectory | undefined;
}

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

/** Writes a run's trials as a finished run leaves them: results, trajectories and rows. */
export async function writeRun(fixture: RunFixture, stores: Stores): Promise<string> {
  const { runId = "run_FIXTURE", trials, open = 0 } = fixture;
  for (let index = 0; index < trials; index += 1) await writeTrial(runId, index, fixture, stores);
  for (let index = trials; index < trials + open; index += 1) {
    const { trialId } = fixtureTrial(runId, index);
    const record: TrialRecord = { schemaVersion: 1, trialId, status: "waiting", attempts: [] };
    await stores.records.put(recordKeys.trial(runId, trialId), record, "any");
  }
  return runId;
}

async function writeTrial(runId: string, index: number, fixture: RunFixture, stores: Stores): Promise<void> {
  const trial = fixtureTrial(runId, index);
  const { trialId } = trial;
  const attempt = index % 4 === 3 ? 2 : 1;
  const last = summary(attempt, (fixture.outcome ?? fixtureOutcome)(index));
  const trajectory = (fixture.trajectory ?? fixtureTrajectory)(index);
  const trajectoryKey = objectKeys.attempt(runId, trialId, attempt, "trajectory.json");
  if (trajectory !== undefined) await stores.objects.put(trajectoryKey, json(trajectory));
  const result: AttemptResult = {
    schemaVersion: 1,
    runId,
    trial,
    ...last,
    timings: { environmentMs: 10, agentMs: 1_000.5, verifierMs: 20 },
    verifications: [],
    objects: trajectory === undefined ? {} : { trajectory: trajectoryKey },
  };
  await stores.objects.put(objectKeys.attempt(runId, trialId, attempt, "result.json"), json(result));
  const attempts = [...(attempt === 2 ? [summary(1, environmentFailed)] : []), last];
  const record: TrialRecord = { schemaVersion: 1, trialId, status: "ended", attempts, endedAt: last.endedAt };
  await stores.records.put(recordKeys.trial(runId, trialId), record, "any");
}

function json(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

export function fixtureTrial(runId: string, index: number): Trial {
  const task = Math.floor(index / 3);
  const isReplay = index % 2 === 0;
  return {
    trialId: contentId("trl", [runId, index]),
    task: {
      hash: sha256Hex(`task ${task}`),
      kind: "harbor",
      name: `task-${task}`,
      group: `group-${Math.floor(task / 2)}`,
      environment: "env",
      origin: { kind: "snapshot", source: "prod", snapshotId: "snap_1", taskId: String(task) },
      hasSolution: false,
      decidedBy: "tests",
      tools: [],
      needs: [],
    },
    agent: isReplay ? { name: "replay" } : { name: "terminus", model: "openai/gpt-test" },
    sample: index % 3,
  };
}

const environmentFailed: Outcome = { kind: "environment-failed", reason: "the image is not there" };

/** Of ten trials: six scored (rewards 0, 0.5 and 1), two failed by the agent, two by the environment. */
export function fixtureOutcome(index: number): Outcome {
  const kind = index % 10;
  if (kind >= 8) return environmentFailed;
  if (kind < 6) return { kind: "scored", rewards: { reward: (index % 3) / 2, style: 1 } };
  return { kind: "agent-failed", failure: "timeout", reason: "out of time", rewards: { reward: 0 } };
}

function summary(attempt: number, outcome: Outcome): AttemptSummary {
  return {
    attempt,
    startedAt: `2026-01-0${attempt}T00:00:00.000Z`,
    endedAt: `2026-01-0${attempt}T00:01:00.000Z`,
    outcome,
    decidedBy: "tests",
    usage: { promptTokens: 100, completionTokens: 20, cachedTokens: 0, costUsd: 0.25 },
  };
}

/** A short conversation with tools, reasoning and text beyond ASCII; every third has plain text alone. */
export function fixtureTrajectory(index: number): Trajectory {
  const steps: Trajectory["steps"] = [
    { step_id: 1, source: "system", message: "You are a terminal agent." },
    { step_id: 2, source: "user", message: `Do task ${index}: Grüße 🎉` },
  ];
  if (index % 3 === 0) steps.push({ step_id: 3, source: "agent", message: `Answer ${index}` });
  else steps.push(...toolSteps(index));
  return {
    schema_version: "ATIF-v1.8",
    session_id: `session-${index}`,
    agent: { name: "fixture", version: "1", ...(index % 3 === 0 ? {} : { tool_definitions: [bash] }) },
    steps,
  };
}

const bash = { type: "function", function: { name: "bash", parameters: { type: "object", properties: {} } } };

function toolSteps(index: number): Trajectory["steps"] {
  return [
    {
      step_id: 3,
      source: "agent",
      message: "I look.",
      reasoning_content: "ls is enough",
      tool_calls: [{ tool_call_id: "call-1", function_name: "bash", arguments: { command: `ls ${index}` } }],
      observation: { results: [{ source_call_id: "call-1", content: "file\n" }] },
    },
    { step_id: 4, source: "agent", message: "Done." },
  ];
}
