import type { SecretStore } from "../ports/secrets.ts";
import type { KnownSecret } from "../redact/create.ts";
import type { RunSpec } from "../run/spec.ts";
import { parseModelRef } from "./model-ref.ts";
import { providerNames, providerOf } from "./providers.ts";

type ModelsOfSpec = Pick<RunSpec, "agents" | "roles" | "providers">;

/** The variables (secrets on AWS) that hold the keys of a spec's models. */
export function keysOfRun({ agents, roles, providers }: ModelsOfSpec): string[] {
  const names = providerNames(providers);
  const references = [...agents.map(({ model }) => model), roles.policy, roles.judge];
  const keys = references.map((reference) => {
    if (reference === undefined) return undefined;
    try {
      const ref = parseModelRef(reference, names);
      return ref.kind === "provider" ? providerOf(ref.provider, providers).key : undefined;
    } catch {
      // What an agent makes of its model is its own business: `models` serves some by names of any form.
      return undefined;
    }
  });
  return [...new Set(keys.filter((key) => key !== undefined))];
}

/** Those keys themselves, so that they are taken out wherever they turn up. One that is not set, or may not be read, is none. */
export async function secretsOfRun(spec: ModelsOfSpec, secrets: SecretStore): Promise<KnownSecret[]> {
  const found = await Promise.all(
    keysOfRun(spec).map(async (name) => {
      const value = await secrets.get(name).catch(() => undefined);
      return value === undefined ? [] : [{ value, kind: kindOf(name) }];
    }),
  );
  return found.flat();
}

/** `OPENAI_API_KEY` as reports name it: `openai-api-key`. */
export function kindOf(variable: string): string {
  return variable.toLowerCase().replaceAll("_", "-");
}
