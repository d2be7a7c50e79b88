import { secretsOfRun } from "@tracemill/core/models/run-secrets.ts";
import { createRedactor, type KnownSecret } from "@tracemill/core/redact/create.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TrialDeps } from "@tracemill/core/trial/deps.ts";
import { environmentSecrets } from "@tracemill/local/environment-secrets.ts";
import type { CliContext, Home } from "./context.ts";
import { openModels } from "./models.ts";

/** A run's models, with keys from this machine's variables, and what takes those keys out of all that is written. */
export async function openRunModels(
  spec: RunSpec,
  { objects }: Pick<Home, "objects">,
  context: CliContext,
): Promise<Pick<TrialDeps, "models" | "redactor">> {
  const { variable, prodToken } = context.config;
  const keys = await secretsOfRun(spec, environmentSecrets(variable));
  const known = [...keys, ...productionToken(prodToken)];
  const redactor = () => createRedactor(spec.redact, known);
  return { redactor, models: openModels(spec, context, { objects, redactor }) };
}

function productionToken(value: string | undefined): KnownSecret[] {
  return value === undefined ? [] : [{ value, kind: "production-api-token" }];
}
