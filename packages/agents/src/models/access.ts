import { readFile } from "node:fs/promises";
import { parseTrajectory } from "@tracemill/core/atif/trajectory.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { type AskingClient, cachedClient } from "@tracemill/core/models/answer-cache.ts";
import type { AskDeps } from "@tracemill/core/models/ask.ts";
import { type ModelRef, parseModelRef } from "@tracemill/core/models/model-ref.ts";
import type { ModelPrice } from "@tracemill/core/models/model-spec.ts";
import { type PriceOverrides, pricedUsage, priceOf } from "@tracemill/core/models/prices.ts";
import {
  keyHeaders,
  type Provider,
  type ProviderSpecs,
  providerAt,
  providerNames,
  providerOf,
} from "@tracemill/core/models/providers.ts";
import { RateLimiter } from "@tracemill/core/models/rate-limiter.ts";
import { roughTokens } from "@tracemill/core/models/rough-tokens.ts";
import type { Clock, Random } from "@tracemill/core/ports/clock.ts";
import type { ModelAccess, ModelSettings, ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type { ModelAnswer, ModelClient, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { Redactor } from "@tracemill/core/redact/redactor.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import { ReplayModel, recordingOf } from "../replay/model.ts";
import type { Connections } from "./http-post.ts";
import { awaitModels, type ListedModel } from "./listed-models.ts";
import { noopModel } from "./noop.ts";
import { ProtocolClient } from "./protocol-client.ts";

/** What a run's spec says of models. */
export interface ModelAccessOptions {
  providers: ProviderSpecs;
  prices: PriceOverrides;
  modelCache: boolean;
}

export interface HostedModel {
  /** As the provider calls it. */
  model: string;
  label: string;
  region?: string;
  settings: ModelSettings;
}

export interface ModelAccessDeps {
  /** Keys, by the name of their variable. */
  secrets: SecretStore;
  clock: Clock;
  random: Random;
  /** Amazon Bedrock needs the AWS SDK, which is loaded where it is asked for. */
  bedrock?(hosted: HostedModel, deps: AskDeps): Promise<AskingClient>;
  /** Where answers are cached; without a store none are. */
  objects?: Pick<ObjectStore, "get" | "putIfAbsent">;
  /** Looks for secrets in answers before they are cached; wanted where there is a store. */
  redactor?(): Redactor;
  /** Connections through the user's proxies; default: straight ones. */
  connections?: Connections;
}

/** A provider's model, or a server's. */
type Reached = { provider: Provider; model: string };

/** How long the models of a server are waited for whose only model is to be found out. */
const listPatienceMs = 90_000;

/** The models of a process, with their keys, rate limits, prices and cache. */
export function createModelAccess(options: ModelAccessOptions, deps: ModelAccessDeps): ModelAccess {
  const access = new Models(options, deps);
  return {
    open: (reference, settings) => access.open(reference, settings),
    upstream: (reference, label) => access.upstream(reference, label),
  };
}

class Models {
  readonly #options: ModelAccessOptions;
  readonly #deps: ModelAccessDeps;
  /** By provider: they are shared by every client of it. */
  readonly #limiters = new Map<string, RateLimiter>();
  /** By base URL: the one model that a server has. */
  readonly #only = new Map<string, Promise<string>>();

  constructor(options: ModelAccessOptions, deps: ModelAccessDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async open(reference: string, settings: ModelSettings = {}): Promise<ModelClient> {
    const label = settings.label ?? reference;
    const ref = this.#parse(reference);
    if (ref.kind === "noop") return noopModel(label);
    if (ref.kind === "replay") return openReplay(reference, ref, settings);
    const { provider, model } = await this.#reach(ref);
    const client = await this.#client(provider, { model, label, settings });
    return priced(this.#cached(client, provider, model), this.#price(label, reference));
  }

  #price(label: string, reference: string): ModelPrice | undefined {
    return (priceOf(label, this.#options.prices) ?? priceOf(reference, this.#options.prices))?.price;
  }

  async upstream(reference: string, label = reference): Promise<ModelUpstream> {
    const ref = this.#parse(reference);
    if (ref.kind === "noop" || ref.kind === "replay") {
      throw new TracemillError(
        "unsupported",
        `model ${reference}: is played by Tracemill itself; a program that asks its model by itself wants one that is served`,
      );
    }
    const { provider, model } = await this.#reach(ref);
    const price = this.#price(label, reference);
    const upstream =
      provider.protocol === "converse"
        ? await this.#bedrockUpstream(provider, model, reference)
        : {
            protocol: provider.protocol,
            baseUrl: urlOf(provider),
            headers: keyHeaders(provider.protocol, await this.#key(provider, reference)),
            model,
          };
    return price === undefined ? upstream : { ...upstream, price };
  }

  #parse(reference: string): ModelRef {
    return parseModelRef(reference, providerNames(this.#options.providers));
  }

  async #reach(ref: Extract<ModelRef, { kind: "provider" | "url" }>): Promise<Reached> {
    if (ref.kind === "provider")
      return { provider: providerOf(ref.provider, this.#options.providers), model: ref.model };
    const model = ref.model ?? (await this.#onlyModel(ref.baseUrl));
    return { provider: providerAt(ref.baseUrl), model };
  }

  /** Asked once, unless it failed. */
  #onlyModel(baseUrl: string): Promise<string> {
    const known = this.#only.get(baseUrl);
    if (known !== undefined) return known;
    const asked = onlyModelAt(baseUrl, this.#deps);
    this.#only.set(baseUrl, asked);
    asked.catch(() => this.#only.delete(baseUrl));
    return asked;
  }

  async #client(provider: Provider, hosted: Omit<HostedModel, "region">): Promise<AskingClient> {
    const { clock, random, bedrock, connections } = this.#deps;
    const deps = { clock, random, limiter: this.#limiter(provider) };
    const { model, label, settings } = hosted;
    if (provider.protocol !== "converse") {
      const key = await this.#key(provider, label);
      const server = { protocol: provider.protocol, baseUrl: urlOf(provider), key, model };
      return new ProtocolClient({ ...settings, ...server, label }, { ...deps, connections });
    }
    if (bedrock === undefined) {
      throw new TracemillError("unsupported", `model ${label}: Amazon Bedrock is not reached from here`);
    }
    const { region } = provider;
    return bedrock({ ...hosted, ...(region === undefined ? {} : { region }) }, deps);
  }

  #limiter(provider: Provider): RateLimiter {
    const known = this.#limiters.get(provider.name);
    if (known !== undefined) return known;
    const limiter = new RateLimiter(provider, this.#deps.clock);
    this.#limiters.set(provider.name, limiter);
    return limiter;
  }

  async #key({ key, name }: Provider, reference: string): Promise<string | undefined> {
    if (key === undefined) return undefined;
    const value = await this.#deps.secrets.get(key);
    if (value !== undefined) return headerValue(value.trim(), key, reference);
    throw new TracemillError(
      "unauthorized",
      `model ${reference}: the key of ${name} is missing; set the variable ${key} (on AWS the secret ${key}), or name another in providers.${name}.key`,
    );
  }

  /** With a key of Bedrock's own; requests that are signed cannot be passed on. */
  async #bedrockUpstream(provider: Provider, model: string, reference: string): Promise<ModelUpstream> {
    const name = provider.key ?? "AWS_BEARER_TOKEN_BEDROCK";
    const key = await this.#deps.secrets.get(name);
    const { region, url } = provider;
    if (key !== undefined && (region !== undefined || url !== undefined)) {
      const baseUrl = url ?? `https://bedrock-runtime.${region}.amazonaws.com`;
      return { protocol: "converse", baseUrl, headers: keyHeaders("converse", key.trim()), model };
    }
    const remedy = "set providers.bedrock.region, and a Bedrock API key in AWS_BEARER_TOKEN_BEDROCK";
    throw new TracemillError(
      "unsupported",
      `model ${reference}: a proxy cannot sign requests to Bedrock; ${remedy}`,
    );
  }

  #cached(client: AskingClient, provider: Provider, model: string): ModelClient {
    const { objects, redactor } = this.#deps;
    if (!this.#options.modelCache || objects === undefined || redactor === undefined) return client;
    const { name, protocol, url, region } = provider;
    const address = { protocol, provider: name, place: url ?? region ?? "", model };
    return cachedClient(client, address, { objects, redactor: redactor() });
  }
}

async function onlyModelAt(baseUrl: string, { clock, connections }: ModelAccessDeps): Promise<string> {
  const server = { protocol: "chat-completions" as const, baseUrl, headers: {} };
  const listed = await awaitModels(server, { timeoutMs: listPatienceMs }, { clock, connections });
  return onlyModelOf(baseUrl, listed);
}

/** The one model that a server lists. @throws TracemillError `invalid-spec`, with what the reference has to say. */
export function onlyModelOf(baseUrl: string, listed: readonly ListedModel[] | undefined): string {
  const [only, another] = listed ?? [];
  if (only !== undefined && another === undefined) return only.id;
  const names = (listed ?? []).slice(0, 10).map(({ id }) => `${baseUrl}#${id}`);
  const problem =
    listed === undefined
      ? `the server lists no models at ${baseUrl}/models; ${withoutVersion(baseUrl) ? `its address may be ${baseUrl}/v1, or` : "correct the address, or"} name the model: ${baseUrl}#NAME`
      : listed.length === 0
        ? "the server has no model yet; load one"
        : `the server has ${listed.length} models; say which: ${names.join(", ")}`;
  throw new TracemillError("invalid-spec", `model ${baseUrl}: ${problem}`);
}

/** OpenAI-compatible servers have all their paths below `/v1`, which is easily forgotten. */
function withoutVersion(baseUrl: string): boolean {
  return new URL(baseUrl).pathname === "/";
}

/** @throws TracemillError `invalid-spec` for what is no recording, or none to play. */
async function openReplay(
  reference: string,
  { recording }: Extract<ModelRef, { kind: "replay" }>,
  { reference: played, label }: ModelSettings,
): Promise<ModelClient> {
  if (recording.kind === "file") {
    const trajectory = parseTrajectory(await readRecording(reference, recording.path), recording.path);
    return new ReplayModel(label ?? reference, recordingOf(trajectory));
  }
  if (played === undefined) {
    throw new TracemillError(
      "invalid-spec",
      `model ${reference}: there is no recorded solution to play; take tasks that have some, or replay/FILE`,
    );
  }
  return new ReplayModel(played.agent.model_name ?? label ?? reference, recordingOf(played));
}

/** @throws TracemillError `invalid-spec` for a file that is not there, or is no JSON. */
export async function readRecording(reference: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new TracemillError(
      "invalid-spec",
      `model ${reference}: ${path} cannot be read (${messageOf(error)})`,
      {
        cause: error,
      },
    );
  }
}

/** Answers with their cost, where it is known, and with a guess at what they used, where the server does not say. */
function priced(client: ModelClient, price: ModelPrice | undefined): ModelClient {
  return {
    model: client.model,
    complete: async (request) => {
      const answer = await client.complete(request);
      const { usage } = answer;
      if (usage !== undefined) return { ...answer, usage: pricedUsage(usage, price) };
      return { ...answer, guessedUsage: pricedUsage(guessedUsage(request, answer), price) };
    },
  };
}

function guessedUsage({ messages, tools }: ModelRequest, answer: ModelAnswer): Usage {
  const { text, reasoning, toolCalls } = answer;
  return {
    promptTokens: roughTokens([messages, tools]),
    completionTokens: roughTokens([text, reasoning, toolCalls]),
    cachedTokens: 0,
  };
}

/** What no header can hold is no key: a placeholder, or two lines pasted as one. */
function headerValue(value: string, variable: string, reference: string): string {
  if (/^[!-~]+$/.test(value)) return value;
  throw new TracemillError(
    "unauthorized",
    `model ${reference}: what ${variable} holds is no key: there is a space, a line break or another character in it that no key has`,
  );
}

function urlOf(provider: Provider): string {
  if (provider.url === undefined)
    throw new TracemillError("invalid-spec", `providers.${provider.name}: wants a \`url\``);
  return provider.url;
}
