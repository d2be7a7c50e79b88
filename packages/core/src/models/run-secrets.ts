import { TracemillError } from "../errors.ts";
import type { SecretStore } from "../ports/secrets.ts";
import type { KnownSecret } from "../redact/create.ts";
import { secretVariables } from "../redact/secret-variables.ts";
import type { RunSpec } from "../run/spec.ts";
import { parseModelRef } from "./model-ref.ts";
import { providerNames, providerOf } from "./providers.ts";

/** Where a spec, as it is used or as it was once stored, has variables. */
interface VariablesOfSpec {
  env?: Readonly<Record<string, string>> | undefined;
  models?: Readonly<Record<string, { env?: Readonly<Record<string, string>> | undefined }>> | undefined;
}

type ModelsOfSpec = Pick<RunSpec, "agents" | "roles" | "providers">;

/** The variables (secrets on AWS) that hold the keys of a spec's models. */
export function keysOfRun({ agents, roles, providers }: ModelsOfSpec): string[] {
  const references = [...agents.map(({ model }) => model), roles.policy, roles.judge];
  return [...new Set(references.map((reference) => keyOf(reference, providers)).filter(isGiven))];
}

/** The variable that holds a model's key; `undefined` for models that want none. */
function keyOf(reference: string | undefined, providers: RunSpec["providers"]): string | undefined {
  if (reference === undefined) return undefined;
  try {
    const ref = parseModelRef(reference, providerNames(providers));
    return ref.kind === "provider" ? providerOf(ref.provider, providers).key : undefined;
  } catch {
    // What an agent makes of its model is its own business: `models` serves some by names of any form.
    return undefined;
  }
}

function isGiven<T>(value: T | undefined): value is T {
  return value !== undefined;
}

/** An agent, and the variable (secret on AWS) without which its model cannot be asked. */
export interface WantedKey {
  agent: string;
  model: string;
  key: string;
}

/** What the models of a spec's agents want; one that the run serves itself, or that has an address of its own, wants nothing. */
export function keysWanted({
  agents,
  providers,
  models,
}: Pick<RunSpec, "agents" | "providers" | "models">): WantedKey[] {
  return agents.flatMap(({ name: agent, model, options }) => {
    if (model === undefined || models[model] !== undefined || options?.baseUrl !== undefined) return [];
    const key = keyOf(model, providers);
    return key === undefined ? [] : [{ agent, model, key }];
  });
}

/**
 * Looks before a run begins whether the keys of its agents' models are there.
 * @throws TracemillError `unauthorized`, naming the agent, the model and the variable.
 */
export async function requireKeys(
  spec: Pick<RunSpec, "agents" | "providers" | "models">,
  secrets: SecretStore,
): Promise<void> {
  for (const { agent, model, key } of keysWanted(spec)) {
    if ((await secrets.get(key)) !== undefined) continue;
    throw new TracemillError(
      "unauthorized",
      `agent ${agent}: its model ${model} wants a key; set the variable ${key}, or name another one under \`providers\``,
    );
  }
}

/**
 * What a run holds that is to be taken out wherever it turns up: those keys themselves (one that is not set, or may not
 * be read, is none), and the secrets among the variables that the spec gives to tasks and servers.
 */
export async function secretsOfRun(
  spec: ModelsOfSpec & VariablesOfSpec,
  secrets: SecretStore,
): Promise<KnownSecret[]> {
  const found = await Promise.all(
    keysOfRun(spec).map(async (name) => {
      const value = await secrets.get(name).catch(() => undefined);
      return value === undefined ? [] : [{ value, kind: kindOf(name) }];
    }),
  );
  return [...found.flat(), ...variablesOfRun(spec)];
}

/** The secrets among the variables of a spec, by their names. */
export function variablesOfRun({ env = {}, models = {} }: VariablesOfSpec): KnownSecret[] {
  return [env, ...Object.values(models).map((model) => model.env ?? {})].flatMap(secretVariables);
}

/** `OPENAI_API_KEY` as reports name it: `openai-api-key`. */
export function kindOf(variable: string): string {
  return variable.toLowerCase().replaceAll("_", "-");
}
