import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { describeBody, withoutToken } from "@tracemill/core/ingest/refusal.ts";
import { isRetryableStatus } from "@tracemill/core/ingest/retry.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import * as z from "zod";
import { type Connections, getFrom, type HttpReply } from "./http-post.ts";

export interface ListedModel {
  id: string;
  /** Tokens of prompt and answer, where the server says so. */
  contextLength?: number;
}

const count = z.number().int().positive().nullish().catch(undefined);

/** Names for the context's length: vLLM, OpenRouter and Together, Groq, Mistral, Anthropic, llama.cpp. */
const Model = z.looseObject({
  id: z.string(),
  max_model_len: count,
  context_length: count,
  context_window: count,
  max_context_length: count,
  max_input_tokens: count,
  meta: z.looseObject({ n_ctx: count, n_ctx_train: count }).nullish().catch(undefined),
});

/** Together answers with the bare list. */
const Listing = z.union([
  z.array(Model),
  z.looseObject({ data: z.array(Model) }).transform(({ data }) => data),
]);

export interface WaitOptions {
  /** Milliseconds from now in which the server may still be loading. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Called with what is waited for, each time that it is looked at. */
  onProgress?(waiting: { reason: string; waitedMs: number }): void;
}

export interface WaitDeps {
  clock: Clock;
  connections?: Connections | undefined;
}

/** A server that loads is looked at so often. */
const lookEveryMs = 2_000;

/** A path that is not there is looked for so long: some servers have it only once their model is loaded. */
const unlistedMs = 60_000;

/** For one look; a server that loads may accept a connection and say nothing. */
const lookMs = 10_000;

type Look =
  | { models: ListedModel[] | undefined }
  /** `isUnlisted`: the server answers, and has no such path. */
  | { reason: string; isUnlisted?: boolean }
  | { failed: TracemillError };

/**
 * The models that a server lists, once it answers: one that loads a model takes minutes, in which it refuses
 * connections, or answers 502, 503 or 404. `undefined` for a server that lists none at all.
 * @throws TracemillError `unauthorized`, `model-failed` (it did not come up, or answers nonsense), `cancelled`.
 */
export async function awaitModels(
  server: Omit<ModelUpstream, "model">,
  options: WaitOptions,
  deps: WaitDeps,
): Promise<ListedModel[] | undefined> {
  const { clock } = deps;
  const { timeoutMs, onProgress, signal = new AbortController().signal } = options;
  const begunAt = clock.now();
  for (;;) {
    signal.throwIfAborted();
    const look = await lookAt(server, signal, deps);
    if ("models" in look) return look.models;
    if ("failed" in look) throw look.failed;
    const waitedMs = clock.now() - begunAt;
    const patienceMs = look.isUnlisted === true ? Math.min(timeoutMs, unlistedMs) : timeoutMs;
    if (waitedMs + lookEveryMs > patienceMs) {
      if (look.isUnlisted === true) return undefined;
      throw notUp(server, look.reason, waitedMs);
    }
    onProgress?.({ reason: look.reason, waitedMs });
    await clock.sleep(lookEveryMs, signal);
  }
}

function notUp({ baseUrl }: Omit<ModelUpstream, "model">, reason: string, waitedMs: number): TracemillError {
  const waited = waitedMs < 1_000 ? "" : ` (waited ${formatDuration(waitedMs)})`;
  return new TracemillError(
    "model-failed",
    `${baseUrl} does not answer: ${reason}${waited}. Check the address and that the server runs; a server that is still loading wants a longer wait (\`tracemill model check … --wait 10m\`)`,
    { retryable: true },
  );
}

async function lookAt(
  { protocol, baseUrl, headers }: Omit<ModelUpstream, "model">,
  signal: AbortSignal,
  { connections }: WaitDeps,
): Promise<Look> {
  const url = new URL(`${baseUrl}${protocol === "messages" ? "/v1/models?limit=1000" : "/models"}`);
  try {
    const limits = { timeoutMs: lookMs, idleMs: lookMs, signal, connections };
    const reply = await getFrom(url, { ...limits, headers: { ...headers } });
    const text = Buffer.concat(await Array.fromAsync(reply.body)).toString("utf8");
    return judge(reply, text, { baseUrl, headers });
  } catch (error) {
    signal.throwIfAborted();
    return { reason: reasonOf(error) };
  }
}

function judge(
  { status }: HttpReply,
  text: string,
  { baseUrl, headers }: Pick<ModelUpstream, "baseUrl" | "headers">,
): Look {
  const body = parsed(text);
  const said = Object.values(headers).reduce(
    (words, secret) => withoutToken(words, secret.replace(/^Bearer /, "")),
    `HTTP ${status}${describeBody(body ?? text)}`,
  );
  if (status === 401 || status === 403) {
    const message = `${baseUrl} answered ${said}. It wants another key`;
    return { failed: new TracemillError("unauthorized", message) };
  }
  if (status === 404) return { reason: said, isUnlisted: true };
  if (isRetryableStatus(status)) return { reason: said };
  if (status >= 300) return { models: undefined };
  const models = modelsIn(text);
  if (models === undefined) return { reason: `HTTP ${status} without a list of models`, isUnlisted: true };
  return { models };
}

/** The models that an answer lists; `undefined` for one that is no list. */
export function modelsIn(text: string): ListedModel[] | undefined {
  const listing = Listing.safeParse(parsed(text));
  return listing.success ? listing.data.map(listed) : undefined;
}

function listed(model: z.infer<typeof Model>): ListedModel {
  const { id, meta } = model;
  const contextLength =
    model.max_model_len ??
    model.context_length ??
    model.context_window ??
    model.max_context_length ??
    model.max_input_tokens ??
    meta?.n_ctx ??
    meta?.n_ctx_train;
  return { id, ...(contextLength == null ? {} : { contextLength }) };
}

/** What the network says, with its code. */
export function reasonOf(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  // OpenSSL's own words are an address in its memory and a line of its source.
  if (code === "EPROTO") return "it speaks no TLS there (EPROTO); its address may begin with http://";
  // A name with several addresses fails with one error for each, and no words of its own.
  const text = messageOf(Array.isArray(errors) ? errors[0] : error);
  return typeof code === "string" && !text.includes(code) ? `${text} (${code})` : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
