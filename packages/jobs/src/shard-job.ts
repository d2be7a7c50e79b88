import type { ShardReport } from "@tracemill/core/pipeline/handlers.ts";
import { type ShardWorkDeps, workOnShard } from "@tracemill/core/pipeline/shard-work.ts";
import type { ShardArguments } from "./arguments.ts";
import { progressMs, ShardLog } from "./event-log.ts";
import { firstTrial } from "./first-trial.ts";
import type { JobLog } from "./log.ts";
import { whileServing } from "./model-server/served-model.ts";
import { Throughput } from "./throughput.ts";

interface Deps extends Omit<ShardWorkDeps, "job" | "onEvent"> {
  /** What this job says of itself in the shard's row. */
  job: { jobId: string; logStream?: string };
  log: JobLog;
  /** For the server of a model. */
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Takes a shard through one stage. A shard whose model the spec serves gets its server for that time.
 * @throws what is no attempt's outcome: storage that fails, a model that cannot be served.
 */
export async function runShardJob(
  { runId, target, stage }: Pick<ShardArguments, "runId" | "target" | "stage">,
  deps: Deps,
): Promise<ShardReport> {
  const { log, clock, fetch, job } = deps;
  const model = stage === "trace" ? (await firstTrial(runId, target, deps.objects))?.agent.model : undefined;
  const isServed = model !== undefined && deps.spec.models[model] !== undefined;
  const throughput = isServed ? new Throughput(clock) : undefined;
  const shardLog = new ShardLog({ log, clock }, throughput);
  const jobNow = () => {
    const tokensPerSecond = throughput?.tokensPerSecond;
    return { ...job, ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }) };
  };
  return whileServing(model, deps, { clock, fetch, log }, async ({ signal, modelEndpoint }) => {
    using _progress = everyHalfMinute(() => shardLog.progress());
    const report = await workOnShard(runId, target, stage, {
      ...deps,
      signal,
      draining: AbortSignal.any([deps.draining, signal]),
      ...(modelEndpoint === undefined ? {} : { modelEndpoint }),
      job: jobNow,
      onEvent: shardLog.onEvent,
    });
    log.info("shard-done", { ...report });
    return report;
  });
}

function everyHalfMinute(work: () => void): Disposable {
  const timer = setInterval(work, progressMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
