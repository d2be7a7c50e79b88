import { requireReachable } from "@tracemill/agents/models/reachable.ts";
import { parseModelRef } from "@tracemill/core/models/model-ref.ts";
import { priceOf } from "@tracemill/core/models/prices.ts";
import { providerNames } from "@tracemill/core/models/providers.ts";
import { requireKeys, secretsOfRun } from "@tracemill/core/models/run-secrets.ts";
import { createRedactor, type KnownSecret } from "@tracemill/core/redact/create.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TrialDeps } from "@tracemill/core/trial/deps.ts";
import { environmentSecrets } from "@tracemill/local/environment-secrets.ts";
import type { CliContext, Home } from "./context.ts";
import { connectionsOf, openModels, withBaseUrls } from "./models.ts";

/**
 * Looks before a run begins whether its models can be asked from here: keys are set, servers answer, recordings are there.
 * @throws TracemillError naming the agent, the model and the next step.
 */
export async function requireModels(spec: RunSpec, { config }: CliContext): Promise<void> {
  await requireKeys(spec, environmentSecrets(config.variable));
  const providers = withBaseUrls(spec.providers, config);
  const connections = connectionsOf(config);
  try {
    await requireReachable(spec, { providers, connections });
  } finally {
    connections.http.destroy();
    connections.https.destroy();
  }
}

/** A cap in dollars on a model of unknown price is no cap: said once to whoever sets one. */
export function warnAboutPrices({ agents, limits, prices, providers }: RunSpec, { out }: CliContext): void {
  const cap = limits.costUsd === undefined ? limits.run?.costUsd : limits.costUsd;
  if (cap === undefined) return;
  const unknown = agents.flatMap(({ model, options }) => {
    if (model === undefined || priceOf(model, prices) !== undefined) return [];
    // Then the model is only a name.
    if (options?.baseUrl !== undefined) return [model];
    const ref = parseModelRef(model, providerNames(providers));
    return ref.kind === "url" || (ref.kind === "provider" && ref.provider !== "openrouter") ? [model] : [];
  });
  for (const model of new Set(unknown)) {
    out.note(
      `note: no price is known of ${model}: \`costUsd\` does not hold for it; say one under \`prices\`, or cap tokens`,
    );
  }
}

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
