import { type ErrorOptions, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { withoutToken } from "@tracemill/core/ingest/refusal.ts";
import { backoffMs, LONGEST_WAIT_MS, retryAfterMs } from "@tracemill/core/ingest/retry.ts";
import type { Clock, Random } from "@tracemill/core/ports/clock.ts";
import type {
  ChatMessage,
  ModelAnswer,
  ModelClient,
  ModelRequest,
} from "@tracemill/core/ports/model-client.ts";
import type { ReadAnswer } from "./chat-answer.ts";
import { type HttpAnswer, postJson } from "./http-post.ts";
import { judge } from "./verdict.ts";

export interface ChatCompletionsOptions {
  /** Of an OpenAI-compatible API: `http://127.0.0.1:8000/v1`. */
  baseUrl: string;
  /** What the server calls the model. */
  model: string;
  /** `provider/model`, as records show it. Default: `model`. */
  label?: string;
  /** Bearer token. Never part of an error or a record. */
  apiKey?: string;
  /** Most tokens of one answer. Default: the server's. */
  maxTokens?: number;
  temperature?: number;
  /** Further fields of the request's body (`seed`, `top_p`, vLLM's `return_token_ids`). */
  extraBody?: Readonly<Record<string, unknown>>;
  /** Milliseconds for one answer. Default: 15 minutes, which is 32,000 tokens at 36 a second. */
  timeoutMs?: number;
  /** Tries after the first one. Default: 8, over some 90 s: a server restarts in that time. */
  maxRetries?: number;
}

export interface ChatCompletionsDeps {
  clock: Clock;
  random: Random;
}

const defaultTimeoutMs = 15 * 60_000;
const defaultRetries = 8;

/** Fields of the body that are not for `extraBody`. `n` and `stream` would change the answer's form. */
export const ownFields = ["model", "messages", "tools", "n", "stream"] as const;

/**
 * A model behind an OpenAI-compatible chat completions API. Its answers are not streamed.
 *
 * Waits and asks again when the server is busy, restarts or breaks off, as long as `Retry-After` says. Everything
 * else is `model-failed`; a conversation that is too long for the model is told by `isContextLimit`.
 */
export class ChatCompletions implements ModelClient {
  readonly model: string;
  readonly #options: ChatCompletionsOptions;
  readonly #deps: ChatCompletionsDeps;
  readonly #url: URL;
  /** For messages. */
  readonly #where: string;
  /** Reasoning goes back under the name that it came under; models that reason between calls want to see it. */
  #reasoningField: ReadAnswer["reasoningField"] = "reasoning_content";

  constructor(options: ChatCompletionsOptions, deps: ChatCompletionsDeps) {
    const base = options.baseUrl.replace(/\/+$/, "");
    this.model = options.label ?? options.model;
    this.#options = options;
    this.#deps = deps;
    this.#url = new URL(`${base}/chat/completions`);
    this.#where = `${options.model} at ${base}`;
  }

  async complete(request: ModelRequest): Promise<ModelAnswer> {
    try {
      return await this.#complete(request);
    } catch (error) {
      if (!request.signal.aborted) throw error;
      throw new TracemillError("cancelled", `${this.#where}: the request was stopped`, { cause: error });
    }
  }

  async #complete(request: ModelRequest): Promise<ModelAnswer> {
    const { maxRetries = defaultRetries } = this.#options;
    const body = JSON.stringify(this.#body(request));
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#post(body, request.signal);
      const verdict = judge(outcome, this.#where);
      if ("answer" in verdict) {
        this.#reasoningField = verdict.reasoningField ?? this.#reasoningField;
        return verdict.answer;
      }
      if ("failed" in verdict) throw this.#failure(verdict.failed, verdict);
      if (tries > maxRetries) throw this.#failure(`${verdict.again} (asked ${tries} times)`);
      await this.#wait(tries, outcome, verdict.again, request.signal);
    }
  }

  #body({ messages, tools }: ModelRequest): Record<string, unknown> {
    const { model, maxTokens, temperature, extraBody } = this.#options;
    return {
      ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...extraBody,
      model,
      messages: messages.map((message) => this.#message(message)),
      // An empty list is refused by OpenAI and vLLM.
      ...(tools.length === 0 ? {} : { tools }),
    };
  }

  #message({ reasoning_content: reasoning, content, ...message }: ChatMessage): Record<string, unknown> {
    const isBare = content === "" && message.tool_calls !== undefined;
    return {
      ...message,
      // Empty text beside calls is refused by servers that translate to Anthropic's API; null is not.
      content: isBare ? null : content,
      ...(reasoning === undefined ? {} : { [this.#reasoningField ?? "reasoning_content"]: reasoning }),
    };
  }

  async #post(body: string, signal: AbortSignal): Promise<HttpAnswer | Error> {
    const { apiKey, timeoutMs = defaultTimeoutMs } = this.#options;
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    try {
      return await postJson(this.#url, body, { headers, timeoutMs, signal });
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof Error ? error : new Error(messageOf(error));
    }
  }

  async #wait(
    tries: number,
    outcome: HttpAnswer | Error,
    reason: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const asked = outcome instanceof Error ? undefined : waitAskedFor(outcome, clock.now());
    if (asked !== undefined && asked > LONGEST_WAIT_MS) {
      throw this.#failure(`${reason}; it asks to wait ${Math.ceil(asked / 60_000)} minutes (Retry-After)`);
    }
    await clock.sleep(asked ?? backoffMs(tries, random), signal);
  }

  /** A server may quote the key that it was given; no message does. */
  #failure(
    message: string,
    { context = {}, retryable = true }: Pick<ErrorOptions, "context" | "retryable"> = {},
  ): TracemillError {
    const { apiKey } = this.#options;
    const text = apiKey === undefined ? message : withoutToken(message, apiKey);
    return new TracemillError("model-failed", text, { context, retryable });
  }
}

function waitAskedFor({ headers }: HttpAnswer, now: number): number | undefined {
  return retryAfterMs(headers["retry-after"] ?? null, now);
}
