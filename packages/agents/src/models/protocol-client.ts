import { messageOf } from "@tracemill/core/errors.ts";
import { withoutToken } from "@tracemill/core/ingest/refusal.ts";
import type { AskingClient } from "@tracemill/core/models/answer-cache.ts";
import {
  type AskDeps,
  type Attempt,
  askPatiently,
  defaultRetries,
  estimateTokens,
} from "@tracemill/core/models/ask.ts";
import { keyHeaders } from "@tracemill/core/models/providers.ts";
import type { ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type { ModelAnswer, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { requestPath, toBody } from "@tracemill/core/protocols/to-body.ts";
import { type Connections, postJson } from "./http-post.ts";
import { type Reply, readReply } from "./reply.ts";
import { judge } from "./verdict.ts";

export interface ProtocolClientOptions extends ModelSettings {
  protocol: ModelProtocol;
  /** As `ModelUpstream` has it. */
  baseUrl: string;
  /** What the server calls the model. */
  model: string;
  /** Never part of an error or a record. */
  key?: string | undefined;
  /** Milliseconds that an answer may stop once it has begun. Default: 5 minutes. */
  idleMs?: number;
}

export interface ProtocolClientDeps extends AskDeps {
  connections?: Connections | undefined;
}

/** 32,000 tokens at 36 a second. */
const defaultTimeoutMs = 15 * 60_000;

/** A model that thinks without saying so is silent for minutes. */
const defaultIdleMs = 5 * 60_000;

/**
 * A model behind an HTTP API of one of the protocols. Answers are streamed, so that proxies on the way see life, unless
 * the server cannot; what is given back is always the whole answer.
 *
 * Waits and asks again when the server is busy, restarts or breaks off, as late as it says. Everything else is
 * `model-failed`; a conversation that is too long for the model is told by `isContextLimit`.
 */
export class ProtocolClient implements AskingClient {
  readonly model: string;
  readonly #options: ProtocolClientOptions;
  readonly #deps: ProtocolClientDeps;
  readonly #url: URL;
  /** For messages. */
  readonly #where: string;
  /** What this server was found not to take. */
  readonly #lacks = { stream: false, maxTokens: false };

  constructor(options: ProtocolClientOptions, deps: ProtocolClientDeps) {
    const { protocol, model, label = model } = options;
    const base = options.baseUrl.replace(/\/+$/, "");
    this.model = label;
    this.#options = options;
    this.#deps = deps;
    this.#url = new URL(base + requestPath(protocol, { model, stream: true }));
    this.#where = `${model} at ${base}`;
  }

  bodyOf(request: ModelRequest): Record<string, unknown> {
    const { protocol, model } = this.#options;
    const stream = !this.#lacks.stream;
    const body = toBody(protocol, request, { model, settings: this.#options, stream });
    if (!this.#lacks.maxTokens || !("max_tokens" in body)) return body;
    const { max_tokens: most, ...rest } = body;
    return { ...rest, max_completion_tokens: most };
  }

  complete(request: ModelRequest): Promise<ModelAnswer> {
    const { maxRetries = defaultRetries, maxTokens, key } = this.#options;
    const { signal } = request;
    const body = JSON.stringify(this.bodyOf(request));
    const clean = (text: string): string => (key === undefined ? text : withoutToken(text, key));
    const tokens = estimateTokens(body.length, maxTokens);
    const options = { where: this.#where, tokens, maxRetries, signal, clean };
    return askPatiently(() => this.#ask(request), options, this.#deps);
  }

  async #ask(request: ModelRequest): Promise<Attempt> {
    const { protocol } = this.#options;
    const lacked = { ...this.#lacks };
    const outcome = await this.#post(request);
    if (this.#adapts(outcome, lacked)) return this.#ask(request);
    return judge(outcome, protocol, this.#deps.clock.now());
  }

  async #post(request: ModelRequest): Promise<Reply | Error> {
    const { protocol, key, timeoutMs = defaultTimeoutMs, idleMs = defaultIdleMs } = this.#options;
    const { signal, onDelta } = request;
    const headers = keyHeaders(protocol, key);
    const { connections } = this.#deps;
    try {
      const body = JSON.stringify(this.bodyOf(request));
      const reply = await postJson(this.#url, body, { headers, timeoutMs, idleMs, signal, connections });
      return await readReply(reply, protocol, onDelta);
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof Error ? error : new Error(messageOf(error));
    }
  }

  /**
   * Servers differ in two things that all clients send; what one refuses is left out from then on.
   * @param lacked what was known of the server when it was asked: others may have found out since.
   */
  #adapts(outcome: Reply | Error, lacked: { stream: boolean; maxTokens: boolean }): boolean {
    if (outcome instanceof Error || (outcome.status !== 400 && outcome.status !== 422)) return false;
    const { text } = outcome;
    const refused =
      !lacked.stream && refusesStream.test(text)
        ? "stream"
        : !lacked.maxTokens && text.includes("max_completion_tokens")
          ? "maxTokens"
          : undefined;
    if (refused !== undefined) this.#lacks[refused] = true;
    return refused !== undefined;
  }
}

/** `stream_options` is unknown to some servers, and streaming to a few models. */
const refusesStream =
  /stream_options|\bstream(?:ing)?\b[^.]{0,40}\b(?:not|un)[- ]?supported|does not support stream/i;
