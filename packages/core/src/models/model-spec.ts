import * as z from "zod";
import { ModelProtocol } from "../protocols/protocol.ts";

const perMillion = z.number().min(0);

const rates = {
  input: perMillion,
  output: perMillion,
  /** Prompt tokens that were read from a cache. Default: as `input`. */
  cachedInput: perMillion.optional(),
  /** Prompt tokens that were written to a cache, where that costs more than `input`. */
  cacheWrite: perMillion.optional(),
};

/** US dollars for a million tokens. */
export const ModelPrice = z.strictObject({
  ...rates,
  /** What every token of a request costs whose prompt, cached tokens included, has more than `above` tokens. */
  longPrompt: z.strictObject({ above: z.number().int().positive(), ...rates }).optional(),
});
export type ModelPrice = z.infer<typeof ModelPrice>;

/** A place that serves models, or changes to one that is known (`openai`, `anthropic`, `bedrock`, `ollama`, …). */
export const ProviderSpec = z.strictObject({
  /** Base URL: for `messages` it ends before `/v1`, for the others after it. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  protocol: ModelProtocol.optional(),
  /** Name of the variable, or of the secret on AWS, that holds the key. */
  key: z
    .string()
    .regex(
      /^[A-Z][A-Z0-9_]*$/,
      "the name of a variable: capitals, digits and underscores; never the key itself",
    )
    .optional(),
  /** AWS region, for `bedrock`. */
  region: z.string().min(1).optional(),
  /** Shared by all workers of a process. */
  requestsPerMinute: z.number().positive().optional(),
  /** Prompt plus completion tokens a minute, shared by all workers of a process. */
  tokensPerMinute: z.number().positive().optional(),
});
export type ProviderSpec = z.infer<typeof ProviderSpec>;

/** Which model takes which part; an agent without a `model` of its own has the policy's. */
export const ModelRoles = z.strictObject({ policy: z.string().optional(), judge: z.string().optional() });
export type ModelRoles = z.infer<typeof ModelRoles>;

/** What a run says of its models. */
export const modelKeys = {
  roles: ModelRoles.default({}),
  /** By the name that stands before the slash of a model. */
  providers: z.record(z.string().regex(/^[a-z][a-z0-9-]*$/), ProviderSpec).default({}),
  /** By model (`openai/gpt-5.2`); goes before the price table. */
  prices: z.record(z.string(), ModelPrice).default({}),
  /** Keeps each answer under the hash of what was asked, and gives it again. For development: samples are then alike. */
  modelCache: z.boolean().default(false),
};
