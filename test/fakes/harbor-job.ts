import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";

/** A trial of a job folder as Harbor 0.24 writes it; what is not given is as in a trial that scored 1. */
export interface HarborTrial {
  name: string;
  task?: string;
  /** Changes of `result.json`; `undefined` leaves a key out. */
  result?: Record<string, unknown>;
  /** Files of the trial folder beside `config.json`, `lock.json` and `result.json`. */
  files?: Record<string, unknown>;
  /** Of the task, for `lock.json`; absent: there is no lock. */
  digest?: string;
}

const jobId = "25d9e16b-9d0e-45d1-af34-2aa31e6c0c7d";

/** Writes a Harbor job folder. @returns its path. */
export async function writeHarborJob(
  jobsDir: string,
  name: string,
  trials: readonly HarborTrial[],
  job: { finished?: boolean; id?: string } = {},
): Promise<string> {
  const { finished = true, id = jobId } = job;
  const dir = join(jobsDir, name);
  await write(dir, "config.json", {
    job_name: name,
    jobs_dir: "jobs",
    n_attempts: 2,
    n_concurrent_trials: 2,
    agents: [{ name: "terminus-2", model_name: "openai/gpt-test" }],
  });
  await write(dir, "job.log", "");
  await write(dir, "result.json", {
    id,
    started_at: "2026-11-21T15:53:25.312616",
    finished_at: finished ? "2026-11-21T15:54:11.342081" : null,
    n_total_trials: trials.length,
    stats: { n_completed_trials: trials.length },
  });
  for (const trial of trials) await writeTrial(join(dir, trial.name), id, trial);
  return dir;
}

async function writeTrial(dir: string, job: string, trial: HarborTrial): Promise<void> {
  const { name, task = "sort-words", digest } = trial;
  const config = {
    task: { path: `tasks/${task}` },
    trial_name: name,
    agent: { name: "terminus-2", model_name: "openai/gpt-test", kwargs: {} },
    job_id: job,
  };
  await write(dir, "config.json", config);
  await write(dir, "trial.log", "Trial started\n");
  if (digest !== undefined)
    await write(dir, "lock.json", { schema_version: 2, task: { name: task, type: "local", digest } });
  for (const [path, content] of Object.entries(trial.files ?? {})) await write(dir, path, content);
  await write(dir, "result.json", {
    id: "9f8b9f0e-4f0a-4b60-9d3a-000000000001",
    task_name: task,
    trial_name: name,
    trial_uri: `file:///jobs/${name}`,
    task_id: { path: `tasks/${task}` },
    source: null,
    task_checksum: "0".repeat(64),
    config,
    agent_info: {
      name: "terminus-2",
      version: "2.0.0",
      model_info: { name: "gpt-test", provider: "openai" },
    },
    agent_result: { n_input_tokens: 100, n_cache_tokens: 60, n_output_tokens: 20, cost_usd: 0.25 },
    verifier_result: { rewards: { reward: 1.0 } },
    exception_info: null,
    started_at: "2026-11-21T15:53:26.000000Z",
    finished_at: "2026-11-21T15:54:00.500000Z",
    environment_setup: { started_at: "2026-11-21T15:53:26Z", finished_at: "2026-11-21T15:53:30Z" },
    agent_setup: { started_at: "2026-11-21T15:53:30Z", finished_at: "2026-11-21T15:53:31Z" },
    agent_execution: { started_at: "2026-11-21T15:53:31Z", finished_at: "2026-11-21T15:53:50Z" },
    verifier: { started_at: "2026-11-21T15:53:50Z", finished_at: "2026-11-21T15:53:59Z" },
    step_results: null,
    ...trial.result,
  });
}

async function write(dir: string, path: string, content: unknown): Promise<void> {
  const file = join(dir, path);
  await mkdir(dirname(file), { recursive: true });
  const isPlain = typeof content === "string" || content instanceof Uint8Array;
  await writeFile(file, isPlain ? content : `${JSON.stringify(content, undefined, 4)}\n`);
}

export function exception(type: string, message: string): Record<string, unknown> {
  return {
    exception_info: {
      exception_type: type,
      exception_message: message,
      exception_traceback: "Traceback …",
      occurred_at: "2026-11-21T15:54:00Z",
    },
  };
}

/** A trajectory as terminus-2 writes it. */
export function terminusTrajectory(text: string, more: Partial<Trajectory> = {}): Trajectory {
  return {
    schema_version: "ATIF-v1.5",
    session_id: "s-1",
    agent: { name: "terminus-2", version: "2.0.0", model_name: "gpt-test" },
    steps: [
      { step_id: 1, source: "user", message: "Sort the words. Grüße 🎉" },
      {
        step_id: 2,
        source: "agent",
        message: text,
        reasoning_content: "sort does it",
        tool_calls: [
          { tool_call_id: "c1", function_name: "bash_command", arguments: { keystrokes: "ls\n" } },
        ],
        observation: { results: [{ source_call_id: "c1", content: "words.txt\n" }] },
        metrics: { prompt_tokens: 100, completion_tokens: 20, cached_tokens: 60, cost_usd: 0.25 },
      },
      { step_id: 3, source: "agent", message: "Done." },
    ],
    ...more,
  };
}
