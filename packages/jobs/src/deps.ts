import { join } from "node:path";
import { programsOf } from "@tracemill/agents/cli-agents/machine.ts";
import { createModelAccess, type ModelAccessDeps } from "@tracemill/agents/models/access.ts";
import { agentRegistry, builtInAgents } from "@tracemill/agents/registry.ts";
import { jobSandboxes } from "@tracemill/agents/sandbox/job/provider.ts";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { batchClient } from "@tracemill/aws/clients/batch.ts";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { ecrClient } from "@tracemill/aws/clients/ecr.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { ssmClient } from "@tracemill/aws/clients/ssm.ts";
import { ecrImages } from "@tracemill/aws/control/images.ts";
import { jobDefinitions } from "@tracemill/aws/control/job-definitions.ts";
import { batchJobs } from "@tracemill/aws/control/jobs.ts";
import { registryLogin } from "@tracemill/aws/control/registry-login.ts";
import { readStack } from "@tracemill/aws/control/stack-lookup.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { batchOwner } from "@tracemill/aws/owner.ts";
import { productionOf } from "@tracemill/aws/pipeline/production.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { secretsManagerStore } from "@tracemill/aws/secrets.ts";
import { secretsOfRun } from "@tracemill/core/models/run-secrets.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import { sentFolders } from "@tracemill/core/pipeline/sent-folders.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { readRunSpec } from "@tracemill/core/run/runs.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import pLimit from "p-limit";
import type { JobArguments } from "./arguments.ts";
import type { Config } from "./config.ts";
import { firstTrial } from "./first-trial.ts";
import { dockerCli } from "./images/docker.ts";
import type { ImageJobDeps } from "./images/image-job.ts";
import type { JobLog } from "./log.ts";
import { logStreamOf } from "./log-stream.ts";

/** What every job has. */
export interface JobWorld {
  config: Config;
  log: JobLog;
  /** Aborted when the job is told to stop. */
  signal: AbortSignal;
}

/** The stores of the stage that the job belongs to. */
function stores({ bucket, table }: Config) {
  return {
    objects: s3ObjectStore({ client: s3Client(), bucket }),
    records: dynamoRecordStore({ client: dynamodbClient(), table }),
  };
}

/** Everything that the stages of a run need, in a job. The step that reads a source gets its token besides. */
export async function pipelineDeps(job: JobArguments, { config, signal }: JobWorld): Promise<PipelineDeps> {
  const { objects, records } = stores(config);
  const { runId, startedAt, resumed } = job;
  const spec = await readRunSpec(runId, objects);
  const scratchDir = join(config.workDir, "tmp");
  const production = job.stage === "ingest" ? await productionApi(spec, config) : undefined;
  return {
    runId,
    spec,
    objects,
    records,
    scratch: tempScratch(scratchDir),
    parquet: duckdbParquet(scratchDir),
    agents: agentRegistry(builtInAgents(programsOf({ dir: join(config.workDir, "agents") }))),
    ...(await modelling(spec, { objects, config })),
    tasks: createTaskLoader(objects),
    budget: new RunBudget(spec.limits.run, startedAt),
    clock: systemClock,
    random: Math.random,
    owner: batchOwner({ ...job, jobId: config.jobId, attempt: config.attempt }),
    fetch: globalThis.fetch,
    taskFolders: sentFolders(runId, objects),
    limit: pLimit(spec.concurrency),
    signal,
    onEvent: () => undefined,
    ...(await sandboxing(job, spec, { objects, config, signal })),
    ...(production === undefined ? {} : { production }),
    ...(resumed ? { reopenBefore: startedAt } : {}),
  };
}

/**
 * Namespaces inside this container, or the containers beside it; nothing is made before a trial wants one. Each of
 * those containers serves one attempt: when all are taken the job begins nothing more, and another one goes on.
 */
async function sandboxing(
  { runId, stage, target }: JobArguments,
  spec: RunSpec,
  { objects, config, signal }: Pick<JobWorld, "config" | "signal"> & Pick<PipelineDeps, "objects">,
): Promise<Pick<PipelineDeps, "sandboxes" | "draining">> {
  const { workDir, boxesDir, layersDir, busybox } = config;
  const trial =
    spec.sandbox === "job" && (stage === "trace" || stage === "evaluate")
      ? await firstTrial(runId, target, objects)
      : undefined;
  if (trial === undefined) {
    const options = { dir: join(workDir, "sandboxes"), cacheDir: join(workDir, "layers") };
    return { sandboxes: namespaceSandboxes(options), draining: signal };
  }
  const sandboxes = jobSandboxes({
    dir: boxesDir,
    layersDir,
    environment: trial.task.environment,
    ...(busybox === undefined ? {} : { busybox }),
  });
  return { sandboxes, draining: AbortSignal.any([signal, sandboxes.spent]) };
}

/** Models, with keys from the stage's secrets. */
async function modelling(
  spec: RunSpec,
  { objects, config }: Pick<JobWorld, "config"> & Pick<PipelineDeps, "objects">,
): Promise<Pick<PipelineDeps, "models" | "redactor">> {
  const secrets = stageSecrets(config);
  const known = await secretsOfRun(spec, secrets);
  const redactor = () => createRedactor(spec.redact, known);
  const bedrock: ModelAccessDeps["bedrock"] = async (hosted, deps) =>
    (await import("@tracemill/aws/models/bedrock.ts")).bedrockModel(hosted, deps);
  const deps = { secrets, clock: systemClock, random: Math.random, objects, redactor, bedrock };
  return { redactor, models: createModelAccess(spec, deps) };
}

/** The stage is looked up when the first one is wanted: most jobs want none. */
function stageSecrets({ stage }: Pick<Config, "stage">): SecretStore {
  let opened: Promise<SecretStore> | undefined;
  const open = async (): Promise<SecretStore> => {
    const { secretPrefix } = await readStack(ssmClient(), stage);
    return secretsManagerStore({ client: secretsManagerClient(), prefix: secretPrefix });
  };
  return {
    get: async (name) => {
      opened ??= open();
      return (await opened).get(name);
    },
  };
}

async function productionApi(
  spec: RunSpec,
  { stage, prodBaseUrl }: Config,
): Promise<PipelineDeps["production"]> {
  if (spec.source === undefined) return undefined;
  const { secretPrefix } = await readStack(ssmClient(), stage);
  const secrets = secretsManagerStore({ client: secretsManagerClient(), prefix: secretPrefix });
  return productionOf(spec, { secrets, secretPrefix, prodBaseUrl });
}

/** What a worker says of itself in the shard's row. */
export async function jobOfShard({ config }: JobWorld): Promise<{ jobId: string; logStream?: string }> {
  const logStream = await logStreamOf(config.metadataUrl, { fetch: globalThis.fetch });
  return { jobId: config.jobId, ...(logStream === undefined ? {} : { logStream }) };
}

export async function imageJobDeps({ config, log, signal }: JobWorld): Promise<ImageJobDeps> {
  const { objects } = stores(config);
  return {
    objects,
    tasks: createTaskLoader(objects),
    stack: await readStack(ssmClient(), config.stage),
    images: ecrImages(ecrClient()),
    jobs: batchJobs(batchClient()),
    definitions: jobDefinitions(batchClient()),
    login: registryLogin(ecrClient()),
    docker: dockerCli({ environment: config.environment, log, signal }),
    workDir: config.workDir,
    clock: systemClock,
    log,
  };
}
