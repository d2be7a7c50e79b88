import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import { type JobArguments, parseArguments, usage } from "./arguments.ts";
import { type Config, readConfig } from "./config.ts";
import { imageJobDeps, type JobWorld, jobOfShard, pipelineDeps } from "./deps.ts";
import { endOfError, type JobEnd } from "./exit-code.ts";
import { runImageJob } from "./images/image-job.ts";
import type { JobLog } from "./log.ts";
import { runShardJob } from "./shard-job.ts";
import { runStepJob } from "./step-job.ts";

interface Given {
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  log: JobLog;
  /** Aborted when the job is told to stop. */
  signal: AbortSignal;
}

/**
 * Does what the arguments ask for. The last line of the log says how it ended, and why.
 * @returns the exit code (`jobExit`).
 */
export async function runJob({ argv, env, log, signal }: Given): Promise<number> {
  let job: JobArguments;
  let config: Config;
  try {
    job = parseArguments(argv);
    config = readConfig(env);
  } catch (error) {
    log.error("not started", { reason: messageOf(error), usage, exitCode: jobExit.misused });
    return jobExit.misused;
  }
  const { stage, runId, target } = job;
  const { jobId, attempt: jobAttempt } = config;
  log.info("job-started", { runId, stage, target, execution: job.execution, jobId, jobAttempt });
  const end = await work(job, { config, log, signal }).catch((error: unknown) =>
    endOfError(error, signal.aborted),
  );
  tell(end, signal.aborted, log);
  return end.exitCode;
}

async function work(job: JobArguments, world: JobWorld): Promise<JobEnd> {
  const { config, log, signal } = world;
  switch (job.stage) {
    case "image":
      await runImageJob(job, await imageJobDeps(world));
      return { exitCode: jobExit.done };
    case "trace":
    case "evaluate": {
      const [deps, self] = await Promise.all([pipelineDeps(job, world), jobOfShard(world)]);
      const { environment } = config;
      const { skipped, busy } = await runShardJob(job, { ...deps, job: self, log, environment });
      if (!signal.aborted || skipped + busy === 0) return { exitCode: jobExit.done };
      return {
        exitCode: jobExit.interrupted,
        reason: `stopped on request with ${skipped + busy} trials left`,
      };
    }
    default:
      await runStepJob(job, await pipelineDeps(job, world), log);
      return { exitCode: jobExit.done };
  }
}

function tell({ exitCode, reason, stack }: JobEnd, interrupted: boolean, log: JobLog): void {
  if (exitCode === jobExit.done) log.info("job-ended", { exitCode });
  else if (interrupted) log.warn("job-ended", { reason, exitCode });
  else log.error("job-ended", { reason, exitCode, stack });
}
