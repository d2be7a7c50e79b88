import type { Trajectory } from "../atif/trajectory.ts";
import type { ModelPrice } from "../models/model-spec.ts";
import type { ModelProtocol } from "../protocols/protocol.ts";
import type { ModelClient } from "./model-client.ts";

/** What one user of a model asks of it; everything else is the provider's. */
export interface ModelSettings {
  /** `provider/model`, as records show it and prices name it. Default: the reference. */
  label?: string;
  /** Most tokens of one answer. Default: the server's. */
  maxTokens?: number;
  temperature?: number;
  /** How much a model thinks: `low`, `medium`, `high`, or a budget of tokens, for providers that have such a setting. */
  reasoningEffort?: string | number;
  /** Milliseconds for one answer. */
  timeoutMs?: number;
  /** Tries after the first one. */
  maxRetries?: number;
  /** Further fields of each request's body. */
  extraBody?: Readonly<Record<string, unknown>>;
  /** The recording whose answers `replay/reference` gives. */
  reference?: Trajectory;
}

/** Where a model is reached, for proxies and for programs that speak its protocol themselves. */
export interface ModelUpstream {
  protocol: ModelProtocol;
  /** Without the slash at its end. For `messages` it ends before `/v1`, for the others after it. */
  baseUrl: string;
  /** Secret: the provider's key. Added on the way; never stored, logged or given to a sandbox. */
  headers: Readonly<Record<string, string>>;
  /** What the server calls the model. */
  model: string;
  /** What its tokens cost; absent where no price is known. */
  price?: ModelPrice;
}

/**
 * Models by reference: `provider/model` (`openai/…`, `anthropic/…`, `bedrock/…`, a provider of the spec's own), a URL of
 * an OpenAI-compatible server (`http://127.0.0.1:8000/v1`, with `#name` when it serves several), `replay/reference`,
 * `replay/FILE`, `noop/NAME`. One for all workers of a process: they share its rate limits.
 */
export interface ModelAccess {
  /** @throws TracemillError `invalid-spec` (no such provider), `unauthorized` (its key is missing), `model-failed`. */
  open(reference: string, settings?: ModelSettings): Promise<ModelClient>;
  /**
   * @param label the model's name where prices are looked up; default: the reference.
   * @throws TracemillError as `open`, and `unsupported` for models that no proxy reaches (`replay/…`, `noop/…`).
   */
  upstream(reference: string, label?: string): Promise<ModelUpstream>;
}
