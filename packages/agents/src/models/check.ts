import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ModelAccess, ModelSettings, ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type {
  ModelAnswer,
  ModelClient,
  ModelRequest,
  ToolDefinition,
} from "@tracemill/core/ports/model-client.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import { onlyModelOf } from "./access.ts";
import type { Connections } from "./http-post.ts";
import { awaitModels, type ListedModel, type WaitOptions } from "./listed-models.ts";

/** What a look at a model found. */
export interface ModelCheck {
  /** As the user named it. */
  reference: string;
  /** What the server calls it. */
  model: string;
  protocol?: ModelProtocol;
  baseUrl?: string;
  /** Absent where the server does not list its models. */
  models?: string[];
  /** Tokens, where the server says so. */
  contextLength?: number;
  text: string;
  /** Whether the answer came in more than one piece. */
  streamed: boolean;
  /** Milliseconds until the answer began. */
  firstTokenMs: number;
  totalMs: number;
  finish: ModelAnswer["finish"];
  usage?: Usage;
  /** `calls`: it called the tool that it was asked to call; `no-call`: it answered without; else why it could not. */
  tools: "calls" | "no-call" | { refused: string };
  /** For training. */
  tokenIds: boolean;
  logprobs: boolean;
}

export interface CheckDeps {
  models: ModelAccess;
  clock: Clock;
  connections?: Connections | undefined;
}

export type CheckOptions = WaitOptions & { signal: AbortSignal };

/** Enough for a model that thinks first. */
const mostTokens = 2_000;

const settings: ModelSettings = { maxTokens: mostTokens, maxRetries: 2, timeoutMs: 120_000 };

const add: ToolDefinition = {
  type: "function",
  function: {
    name: "add",
    description: "Adds two numbers.",
    parameters: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
    },
  },
};

/**
 * Waits until a model's server answers, and asks it two or three small things.
 * @throws TracemillError as `ModelAccess.open` and `ModelClient.complete` do; `model-failed` for a model that the server
 * does not list, with those that it has.
 */
export async function checkModel(
  reference: string,
  options: CheckOptions,
  deps: CheckDeps,
): Promise<ModelCheck> {
  const { models } = deps;
  const upstream = await upstreamOf(reference, options, deps);
  const listed = upstream === undefined ? undefined : await listedBy(upstream, options, deps);
  const chosen = upstream?.model ?? reference;
  const own = listed?.find(({ id }) => id === chosen || id === `models/${chosen}`);
  if (listed !== undefined && listed.length > 0 && own === undefined) throw notListed(chosen, listed);
  const client = await models.open(reference, settings);
  const answer = await timed(client, options.signal, deps.clock);
  const tools = await toolsOf(client, options.signal);
  const training = await trainingData(reference, upstream, options.signal, models);
  // What a server cannot do and that it has died look alike.
  if (typeof tools === "object" || training === undefined)
    await client.complete(plain("Say yes.", options.signal));
  return {
    reference,
    model: chosen,
    ...(upstream === undefined ? {} : { protocol: upstream.protocol, baseUrl: upstream.baseUrl }),
    ...(listed === undefined ? {} : { models: listed.map(({ id }) => id) }),
    ...(own?.contextLength === undefined ? {} : { contextLength: own.contextLength }),
    ...answer,
    tools,
    ...(training ?? noTraining),
  };
}

/** Absent for models that no proxy reaches: those of Bedrock without a key of its own, and what is played. */
async function upstreamOf(
  reference: string,
  options: CheckOptions,
  deps: CheckDeps,
): Promise<ModelUpstream | undefined> {
  const url = /^https?:\/\/[^#]+$/.exec(reference)?.[0];
  const server = { protocol: "chat-completions" as const, headers: {} };
  // Which model it has is asked of the server, and that only once it is up.
  if (url !== undefined) {
    const baseUrl = url.replace(/\/+$/, "");
    onlyModelOf(baseUrl, await awaitModels({ ...server, baseUrl }, options, deps));
  }
  try {
    return await deps.models.upstream(reference);
  } catch (error) {
    if (isTracemillError(error, "unsupported")) return undefined;
    throw error;
  }
}

function listedBy(
  upstream: ModelUpstream,
  options: CheckOptions,
  deps: CheckDeps,
): Promise<ListedModel[] | undefined> {
  return upstream.protocol === "converse" ? Promise.resolve(undefined) : awaitModels(upstream, options, deps);
}

function notListed(model: string, listed: readonly ListedModel[]): TracemillError {
  const names = listed.slice(0, 20).map(({ id }) => id);
  const more = listed.length > names.length ? `, and ${listed.length - names.length} more` : "";
  return new TracemillError(
    "model-failed",
    `the server has no model ${model}; it has ${names.join(", ")}${more}`,
  );
}

function plain(content: string, signal: AbortSignal): ModelRequest {
  return { messages: [{ role: "user", content }], tools: [], signal };
}

type Timed = Pick<ModelCheck, "text" | "streamed" | "firstTokenMs" | "totalMs" | "finish" | "usage">;

async function timed(client: ModelClient, signal: AbortSignal, clock: Clock): Promise<Timed> {
  const begunAt = clock.now();
  let firstAt: number | undefined;
  let pieces = 0;
  const { text, finish, usage } = await client.complete({
    ...plain("Count from one to five, in words.", signal),
    onDelta: () => {
      firstAt ??= clock.now();
      pieces += 1;
    },
  });
  const endedAt = clock.now();
  return {
    text,
    streamed: pieces > 1,
    firstTokenMs: (firstAt ?? endedAt) - begunAt,
    totalMs: endedAt - begunAt,
    finish,
    ...(usage === undefined ? {} : { usage }),
  };
}

async function toolsOf(client: ModelClient, signal: AbortSignal): Promise<ModelCheck["tools"]> {
  try {
    const { toolCalls } = await client.complete({
      ...plain("Use the tool `add` to add 2 and 3.", signal),
      tools: [add],
    });
    return toolCalls.some(({ name }) => name === "add") ? "calls" : "no-call";
  } catch (error) {
    signal.throwIfAborted();
    return { refused: messageOf(error) };
  }
}

type Training = Pick<ModelCheck, "tokenIds" | "logprobs">;

const noTraining: Training = { tokenIds: false, logprobs: false };

/**
 * Fields by which vLLM and its kin are asked; servers that know none of them leave the answer as it is, or refuse
 * (`undefined`).
 */
async function trainingData(
  reference: string,
  upstream: ModelUpstream | undefined,
  signal: AbortSignal,
  models: ModelAccess,
): Promise<Training | undefined> {
  if (upstream?.protocol !== "chat-completions") return noTraining;
  for (const extraBody of [{ logprobs: true, return_token_ids: true }, { logprobs: true }]) {
    try {
      const client = await models.open(reference, { ...settings, maxRetries: 0, extraBody });
      const { tokens } = await client.complete(plain("Say yes.", signal));
      return {
        tokenIds: (tokens?.completion ?? []).length > 0,
        logprobs: (tokens?.logprobs ?? []).length > 0,
      };
    } catch {
      signal.throwIfAborted();
    }
  }
  return undefined;
}
