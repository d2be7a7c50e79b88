import { messageOf } from "../../errors.ts";
import { importedRunId, sha256Hex } from "../../ids.ts";
import { parseShallow } from "../../ingest/body/limits.ts";
import { parseRunSpec, type RunSpec } from "../../run/spec.ts";
import type { AgentRef } from "../../run/trial.ts";
import { JobConfigFile, JobResultFile } from "./documents.ts";
import type { JobFolder } from "./folder.ts";
import { agentRefOf } from "./imported-attempt.ts";
import { utcTime } from "./times.ts";

const documentBytes = 256 * 1024 * 1024;

/** What the files of a job itself say; each of them may be missing. */
export interface JobHeader {
  runId: string;
  /** ISO time; 1970 for a job that does not say. */
  startedAt: string;
  /** Absent: the job had not finished. */
  finishedAt?: string;
  config: JobConfigFile;
  /** Files that cannot be read, with the reason. */
  problems: string[];
}

export async function readJobHeader(job: JobFolder): Promise<JobHeader> {
  const problems: string[] = [];
  const result = (await readDocument(job, "result.json", problems)).value;
  const config = await readDocument(job, "config.json", problems);
  const parsedResult = JobResultFile.safeParse(result).data;
  const startedAt = utcTime(parsedResult?.started_at) ?? timeOfName(job.name) ?? new Date(0).toISOString();
  const finishedAt = utcTime(parsedResult?.finished_at);
  const identity = parsedResult?.id === undefined ? [job.name, config.hash ?? null] : [parsedResult.id];
  return {
    runId: importedRunId(Date.parse(startedAt), ["harbor", ...identity]),
    startedAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    config: JobConfigFile.safeParse(config.value).data ?? JobConfigFile.parse({}),
    problems,
  };
}

async function readDocument(
  job: JobFolder,
  name: string,
  problems: string[],
): Promise<{ value?: unknown; hash?: string }> {
  const bytes = await job.read(name, documentBytes);
  if (bytes === undefined) return {};
  try {
    return { value: parseShallow(Buffer.from(bytes).toString("utf8")), hash: sha256Hex(bytes) };
  } catch (error) {
    problems.push(`${name}: not whole JSON (${messageOf(error)})`);
    return { hash: sha256Hex(bytes) };
  }
}

/** Harbor's own job names are times: `2026-01-31__23-59-59`. */
function timeOfName(name: string): string | undefined {
  const [, date, time = ""] = /^(\d{4}-\d\d-\d\d)__(\d\d-\d\d-\d\d)$/.exec(name) ?? [];
  return date === undefined ? undefined : utcTime(`${date}T${time.replaceAll("-", ":")}`);
}

/**
 * The spec that the job amounts to: its name, agents, attempts and retries. `tasks` names the job's folder.
 * @param agents those of the trials; the config's are added.
 */
export function specOf(job: JobFolder, { config }: JobHeader, agents: readonly AgentRef[]): RunSpec {
  const planned = config.agents?.map(agentRefOf).filter((agent) => agent !== undefined) ?? [];
  const all = new Map([...planned, ...agents].map((agent) => [JSON.stringify(agent), agent]));
  const name = job.name.replace(/[^a-z0-9._-]+/gi, "-").replace(/^[^a-z0-9]+/i, "") || "job";
  return parseRunSpec(
    {
      name,
      tasks: [job.path],
      agents: [...all.values()],
      attempts: within(1, config.n_attempts, 1_000),
      concurrency: within(1, config.n_concurrent_trials, 1_024),
      sandbox: "docker",
      retry: { max: within(0, config.retry?.max_retries, 20) },
    },
    `${job.path}/config.json`,
  );
}

function within(least: number, value: number | undefined, most: number): number {
  return Math.min(most, Math.max(least, value ?? least));
}
