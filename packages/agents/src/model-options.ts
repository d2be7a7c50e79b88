import { TracemillError } from "@tracemill/core/errors.ts";
import { parseModelRef } from "@tracemill/core/models/model-ref.ts";
import { providerNames } from "@tracemill/core/models/providers.ts";
import type { AgentContext, TrialVariants } from "@tracemill/core/ports/agent.ts";
import type { ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type { ModelClient } from "@tracemill/core/ports/model-client.ts";
import { Duration } from "@tracemill/core/run/duration.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { AgentRef, TaskRef } from "@tracemill/core/run/trial.ts";
import * as z from "zod";
import { whyNotLive } from "./live-task.ts";

/** Fields of a request that are the agent's and the client's, whatever the protocol. */
const ownFields = ["model", "messages", "input", "system", "tools", "stream", "n"] as const;

function holdsNoSecret(url: string): boolean {
  const { username, password, search } = URL.parse(url) ?? { username: "", password: "", search: "" };
  return username === "" && password === "" && search === "";
}

/** Keys of an agent's `options` that say how its model is asked. */
export const modelOptions = {
  /** Of an OpenAI-compatible API, `/v1` included. Default: where the agent's `model` says. */
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .refine(holdsNoSecret, "holds a user, a password or a query: options are stored with the run")
    .optional(),
  /** What the server at `baseUrl` calls the model. Default: the agent's `model`. */
  model: z.string().min(1).optional(),
  /** The most tokens of one answer. Default: the server's. */
  maxTokens: z.number().int().min(1).optional(),
  temperature: z.number().min(0).optional(),
  /** How much a model thinks: `low`, `medium`, `high`, or a budget of tokens, for models that have such a setting. */
  reasoningEffort: z.union([z.string().min(1), z.number().int().min(1)]).optional(),
  /** How long one answer may take. */
  requestTimeout: Duration.optional(),
  /** Further fields of each request (`seed`, `top_p`, vLLM's `return_token_ids`). */
  extraBody: z
    .record(z.string(), z.unknown())
    .refine(
      (body) => ownFields.every((field) => !(field in body)),
      `may not hold ${ownFields.join(", ")}: the agent sets them`,
    )
    .default({}),
};

const ModelOptions = z.object(modelOptions);
export type ModelOptions = z.infer<typeof ModelOptions>;

/**
 * Holds an agent's model against what serves models.
 * @throws TracemillError `invalid-spec`, with what may stand there.
 */
export function checkModel(
  { name, model }: AgentRef,
  options: ModelOptions,
  { models, providers, roles }: Pick<RunSpec, "models" | "providers" | "roles">,
): void {
  const named = model ?? roles.policy;
  if (named === undefined) {
    throw new TracemillError("invalid-spec", `agents: ${name} wants a \`model\`, or \`roles.policy\``);
  }
  if (options.baseUrl === undefined && models[named] === undefined) {
    parseModelRef(named, providerNames(providers));
  }
}

/** The attempt's model, asked as the options say. An address in the options goes before the model's own. */
export function openModel(
  { agent, models }: Pick<AgentContext, "agent" | "models">,
  options: ModelOptions,
): Promise<ModelClient> {
  const { baseUrl, model, maxTokens, temperature, reasoningEffort, requestTimeout, extraBody } = options;
  const named = agent.model ?? model;
  if (named === undefined) {
    throw new TracemillError("invalid-spec", `agents: ${agent.name} wants a \`model\``);
  }
  const settings: ModelSettings = {
    label: named,
    extraBody,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(reasoningEffort === undefined ? {} : { reasoningEffort }),
    ...(requestTimeout === undefined ? {} : { timeoutMs: requestTimeout }),
  };
  const reference = baseUrl === undefined ? named : `${baseUrl}#${encodeURIComponent(model ?? named)}`;
  return models.open(reference, settings);
}

/** The model that plays a task's recorded solutions. */
export const recordedModel = "replay/reference";

/** Trials of a task that is worked on live: one, or one for each recorded solution where those are the model. */
export function liveVariants(task: TaskRef, { model }: AgentRef): TrialVariants {
  const reason = whyNotLive(task);
  if (reason !== undefined) return { excluded: reason };
  if (model !== recordedModel) return { references: [undefined] };
  return task.references.length === 0
    ? { excluded: "the source has no recorded solution of it" }
    : { references: task.references };
}
