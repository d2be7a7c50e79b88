import { createModelAccess, type ModelAccessOptions } from "@tracemill/agents/models/access.ts";
import { type Connections, modelConnections } from "@tracemill/agents/models/http-post.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { addressProblem } from "@tracemill/core/models/providers.ts";
import type { ModelAccess } from "@tracemill/core/ports/model-access.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { Redactor } from "@tracemill/core/redact/redactor.ts";
import { environmentSecrets } from "@tracemill/local/environment-secrets.ts";
import type { CliContext } from "./context.ts";

/** Where answers are cached, and what looks for secrets in them. */
export interface AnswerStore {
  objects: Pick<ObjectStore, "get" | "putIfAbsent">;
  redactor(): Redactor;
}

/** What a spec says of models when there is no spec. */
export const noModelKeys: ModelAccessOptions = { providers: {}, prices: {}, modelCache: false };

/** The models of this machine: keys are variables of the environment, and so are the proxies on the way. */
export function openModels(
  keys: Partial<ModelAccessOptions>,
  { config, clock, random }: Pick<CliContext, "config" | "clock" | "random">,
  answers?: AnswerStore,
): ModelAccess {
  const providers = withBaseUrls(keys.providers ?? {}, config);
  return createModelAccess(
    { ...noModelKeys, ...keys, providers },
    {
      secrets: environmentSecrets(config.variable),
      clock,
      random,
      connections: connectionsOf(config),
      bedrock: async (hosted, deps) =>
        (await import("@tracemill/aws/models/bedrock.ts")).bedrockModel(hosted, deps),
      ...answers,
    },
  );
}

/** Variables by which programs of these providers are told of another address. What a spec says goes before them. */
const baseUrlVariables = { openai: "OPENAI_BASE_URL", anthropic: "ANTHROPIC_BASE_URL" };

/** Providers at the addresses that they have on this machine. @throws TracemillError `invalid-input`. */
export function withBaseUrls(
  providers: ModelAccessOptions["providers"],
  { variable }: Pick<CliContext["config"], "variable">,
): ModelAccessOptions["providers"] {
  const named = Object.entries(baseUrlVariables).flatMap(([name, variableName]) => {
    const url = variable(variableName);
    if (url === undefined || providers[name]?.url !== undefined) return [];
    const problem = addressProblem(url);
    if (problem !== undefined) throw new TracemillError("invalid-input", `${variableName}: ${problem}`);
    return [[name, { ...providers[name], url }] as const];
  });
  return { ...providers, ...Object.fromEntries(named) };
}

/** Connections to models, through the proxies that the environment names. */
export function connectionsOf({ variable }: Pick<CliContext["config"], "variable">): Connections {
  const either = (name: string): string | undefined => variable(name) ?? variable(name.toLowerCase());
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
  return modelConnections(Object.fromEntries(names.map((name) => [name, either(name)])));
}
