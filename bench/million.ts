import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import { contentId, sha256Hex } from "@tracemill/core/ids.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { RecordKey } from "@tracemill/core/ports/record-store.ts";
import type { Outcome } from "@tracemill/core/run/outcome.ts";
import type { Plan } from "@tracemill/core/run/plan.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import type { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { ShardMeter } from "@tracemill/core/run/tally.ts";
import type { AgentRef, Trial, TrialRecord } from "@tracemill/core/run/trial.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";

/** Trials in a shard, and of a task: four samples by each of two agents. */
const shardTrials = 64;
const samples = 4;

const agents: AgentRef[] = [
  { name: "tools", model: "bench/small" },
  { name: "tools", model: "bench/large" },
];

export interface BuiltRun {
  /** A home. */
  dir: string;
  runId: string;
  trials: number;
  /** Share of the trials that have ended; the others were not begun. */
  ended: number;
}

/**
 * Writes the spec, the plan and the rows of a run as a real one leaves them, without the trials' own objects. Rows go
 * to SQLite in one transaction, in the order of their keys.
 */
export async function buildRun({ dir, runId, trials, ended }: BuiltRun): Promise<void> {
  await mkdir(join(dir, "objects"), { recursive: true });
  const objects = openObjectStore(join(dir, "objects"));
  const records = openRecordStore(join(dir, "records.sqlite"));
  const spec = parseRunSpec({ name: "bench", tasks: ["tasks"], agents, attempts: samples }, "bench");
  await createRun(spec, { objects, records, clock: systemClock }, runId);
  records.close();
  const plan: Plan = {
    schemaVersion: 1,
    runId,
    tasks: Math.ceil(Math.ceil(trials / shardTrials / agents.length) * (shardTrials / samples)),
    trials,
    excluded: 0,
    excludedBy: {},
    shards: [],
  };
  const rows: [RecordKey, unknown][] = [];
  for (let first = 0; first < trials; first += shardTrials) {
    const count = Math.min(shardTrials, trials - first);
    const shard = Array.from({ length: count }, (_unused, index) => trialAt(first + index, runId));
    const shardId = contentId("shd", [runId, first]);
    plan.shards.push({
      shardId,
      environment: "env",
      sandboxed: { trace: true, evaluate: true },
      trials: count,
    });
    const text = shard.map((trial) => `${JSON.stringify(trial)}\n`).join("");
    await objects.put(objectKeys.runShard(runId, shardId), zstdCompressSync(text));
    if (first >= ended * trials) continue;
    const held = shard.map((trial, index) => ({ trial, row: rowOf(trial, first + index) }));
    for (const { row } of held) rows.push([recordKeys.trial(runId, row.trialId), row]);
    const metered = held.map(({ trial, row }) => ({
      trialId: row.trialId,
      agent: labelOf(trial.agent),
      row,
    }));
    const { tally } = new ShardMeter(metered);
    const record: ShardRecord = { schemaVersion: 1, shardId, updatedAt: at(0), tally, failures: [] };
    rows.push([recordKeys.shard(runId, shardId), record]);
  }
  await objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  insert(join(dir, "records.sqlite"), rows);
}

function labelOf({ name, model }: AgentRef): string {
  return `${name}/${model}`;
}

function insert(file: string, rows: [RecordKey, unknown][]): void {
  rows.sort(([a], [b]) => (a.sk < b.sk ? -1 : 1));
  using database = new DatabaseSync(file);
  const statement = database.prepare("INSERT INTO records (pk, sk, version, data) VALUES (?, ?, 3, ?)");
  database.exec("BEGIN");
  for (const [{ pk, sk }, data] of rows) statement.run(pk, sk, JSON.stringify(data));
  database.exec("COMMIT");
}

/** The trials of a task and agent follow each other; the shard of one agent is followed by that of the other. */
function trialAt(index: number, runId: string): Trial {
  const shard = Math.floor(index / shardTrials);
  const inAgent = Math.floor(shard / agents.length) * shardTrials + (index % shardTrials);
  const task = Math.floor(inAgent / samples);
  return {
    trialId: contentId("trl", [runId, index]),
    task: {
      hash: sha256Hex(`task ${task}`),
      kind: "harbor",
      name: `task-${task}`,
      group: `group-${task % 200}`,
      environment: "env",
      origin: { kind: "folder", path: `tasks/task-${task}` },
      hasSolution: true,
      decidedBy: "tests",
      tools: [],
      needs: [],
    },
    agent: agents[shard % agents.length] ?? { name: "tools" },
    sample: index % samples,
  };
}

function rowOf(trial: Trial, index: number): TrialRecord & { status: "ended" } {
  const seconds = 20 + ((index * 7919) % 600);
  const usage = {
    promptTokens: 20_000 + (index % 977) * 10,
    completionTokens: 900 + (index % 331),
    cachedTokens: 15_000,
    costUsd: 0.02,
  };
  const outcome = outcomeOf(trial, index);
  const decidedBy = "rewards" in outcome ? "tests" : "none";
  const attempt = {
    attempt: 1,
    startedAt: at(index),
    endedAt: at(index + seconds),
    outcome,
    usage,
    decidedBy,
  } as const;
  return {
    schemaVersion: 1,
    trialId: trial.trialId,
    status: "ended",
    attempts: [attempt],
    endedAt: attempt.endedAt,
  };
}

/** 3 of 100 fail for reasons other than the agent's, each in words of its own. */
function outcomeOf(trial: Trial, index: number): Outcome {
  const kind = (index * 31) % 100;
  if (kind === 0) return { kind: "model-failed", reason: `429 after ${index} ms: too many requests` };
  if (kind <= 2) return { kind: "environment-failed", reason: `no space left on device (trial ${index})` };
  if (kind <= 9)
    return {
      kind: "agent-failed",
      failure: "timeout",
      reason: "the agent's time ran out after 600 s",
      rewards: { reward: 0 },
    };
  return { kind: "scored", rewards: { reward: isSolved(trial) ? 1 : 0 } };
}

/** Tasks are of different difficulty, and the second agent is the better one. */
function isSolved({ task, agent, trialId }: Trial): boolean {
  const [difficulty, luck] = [chance(task.hash), chance(trialId.slice("trl_".length))];
  return luck > difficulty - (agent === agents[1] ? 0.1 : 0);
}

/** 0 to 1, by a hash in hex. */
function chance(hash: string): number {
  return Number.parseInt(hash.slice(0, 8), 16) / 0x1_0000_0000;
}

/** @param second since the run began. */
function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString();
}
