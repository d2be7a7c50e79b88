import { TracemillError } from "@tracemill/core/errors.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TrialDeps } from "@tracemill/core/trial/deps.ts";
import type { HealthDeps } from "./health.ts";
import { type ModelServer, startModelServer } from "./model-server.ts";

/** The part of a shard's dependencies that a served model changes. */
export type Serving = Pick<TrialDeps, "signal"> & Partial<Pick<TrialDeps, "modelEndpoint">>;

/**
 * Runs `work` with the shard's model served beside it, when the run's spec says that its jobs serve it. When the
 * server is given up, all that is in flight is given back: no attempt is at fault.
 * @throws TracemillError `model-failed` when it cannot be served.
 */
export async function whileServing<T>(
  model: string | undefined,
  {
    spec,
    environment,
    signal,
  }: Pick<TrialDeps, "signal"> & {
    spec: Pick<RunSpec, "models">;
    environment: Readonly<Record<string, string | undefined>>;
  },
  deps: HealthDeps,
  work: (serving: Serving) => Promise<T>,
): Promise<T> {
  const served = model === undefined ? undefined : spec.models[model];
  if (model === undefined || served === undefined) return work({ signal });
  await using server = await startModelServer({ name: model, served, environment, signal }, deps);
  const modelEndpoint = async (asked: string, stop: AbortSignal) =>
    asked === model ? server.endpoint(stop) : undefined;
  const result = await work({ signal: AbortSignal.any([signal, server.failed]), modelEndpoint });
  throwIfFailed(server);
  return result;
}

function throwIfFailed({ failed }: ModelServer): void {
  if (!failed.aborted) return;
  if (failed.reason instanceof TracemillError) throw failed.reason;
  throw new TracemillError("model-failed", `its model's server failed: ${String(failed.reason)}`, {
    retryable: true,
  });
}
