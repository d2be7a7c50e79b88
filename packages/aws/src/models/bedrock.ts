import {
  BedrockRuntimeClient,
  ConverseStreamCommand,
  type ConverseStreamCommandInput,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { messageOf } from "@tracemill/core/errors.ts";
import type { AskingClient } from "@tracemill/core/models/answer-cache.ts";
import {
  type AskDeps,
  type Attempt,
  askPatiently,
  defaultRetries,
  estimateTokens,
} from "@tracemill/core/models/ask.ts";
import type { ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type { ModelAnswer, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { assembler } from "@tracemill/core/protocols/assemble.ts";
import type { Assembler } from "@tracemill/core/protocols/assembler.ts";
import { readAnswer } from "@tracemill/core/protocols/read-answer.ts";
import { toBody } from "@tracemill/core/protocols/to-body.ts";
import { type AwsOptions, clientSettings } from "../clients/options.ts";
import { bytesAsText, textAsBytes } from "./bedrock-bytes.ts";
import { judgeError, judgeStreamError } from "./bedrock-verdict.ts";

export interface BedrockModel {
  /** A model, or an inference profile: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, or an ARN. */
  model: string;
  /** `bedrock/…`, as records show it. */
  label: string;
  region?: string;
  settings: ModelSettings;
  /** Milliseconds that an answer may stop once it has begun. Default: 5 minutes. */
  idleMs?: number;
}

/** As for other models: 32,000 tokens at 36 a second, and minutes of thinking without a word. */
const defaultTimeoutMs = 15 * 60_000;
const defaultIdleMs = 5 * 60_000;

/**
 * A client of Bedrock's runtime. Its own retries are off: they would be neither counted nor held to the rate limits.
 * HTTP/1.1, since one HTTP/2 connection holds few streams at once, and as many connections as there are answers: the
 * SDK's 50 would let the others wait unseen. How long it may be silent is the model's own matter.
 */
export function bedrockRuntimeClient(options: AwsOptions = {}): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    ...clientSettings({ ...options, maxAttempts: 1 }),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      socketTimeout: 0,
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    }),
  });
}

/** By region; "" for the one that the environment names. */
const clients = new Map<string, BedrockRuntimeClient>();

/** One for all models of a region in this process: each client looks up credentials, and has connections, of its own. */
export function sharedClient(region: string | undefined): BedrockRuntimeClient {
  const known = clients.get(region ?? "");
  if (known !== undefined) return known;
  const made = bedrockRuntimeClient(region === undefined ? {} : { region });
  clients.set(region ?? "", made);
  return made;
}

/**
 * A model on Amazon Bedrock, asked by ConverseStream. Waits and asks again as the other clients do.
 * @throws TracemillError `model-failed` (without access the message names the IAM action), `cancelled`.
 */
export function bedrockModel(
  { model, label, region, settings, idleMs = defaultIdleMs }: BedrockModel,
  deps: AskDeps,
  client: BedrockRuntimeClient = sharedClient(region),
): AskingClient {
  const where = `${model} on Amazon Bedrock`;
  const { maxRetries = defaultRetries, timeoutMs = defaultTimeoutMs, maxTokens } = settings;
  const bodyOf = (request: ModelRequest): Record<string, unknown> =>
    toBody("converse", request, { model, settings, stream: true });
  const complete = (request: ModelRequest): Promise<ModelAnswer> => {
    const { signal, onDelta } = request;
    const body = bodyOf(request);
    const attempt = (): Promise<Attempt> => {
      const limits = { signal, timeoutMs, idleMs };
      return ask({ client, model, body, onDelta }, limits, deps.clock.now());
    };
    const tokens = estimateTokens(JSON.stringify(body).length, maxTokens);
    return askPatiently(attempt, { where, tokens, maxRetries, signal, clean: (text) => text }, deps);
  };
  return { model: label, bodyOf, complete };
}

interface Asked {
  client: BedrockRuntimeClient;
  model: string;
  body: Record<string, unknown>;
  onDelta: ModelRequest["onDelta"];
}

async function ask(
  { client, model, body, onDelta }: Asked,
  { signal, timeoutMs, idleMs }: { signal: AbortSignal; timeoutMs: number; idleMs: number },
  now: number,
): Promise<Attempt> {
  const assembled = assembler("converse");
  using patience = new Patience(timeoutMs);
  try {
    const input = { modelId: model, ...(textAsBytes(body) as object) } as ConverseStreamCommandInput;
    const abortSignal = AbortSignal.any([signal, patience.signal]);
    const { stream } = await client.send(new ConverseStreamCommand(input), { abortSignal });
    for await (const event of stream ?? []) {
      patience.renew(idleMs);
      const delta = assembled.push(bytesAsText(event));
      if (delta.text !== undefined || delta.reasoning !== undefined) onDelta?.(delta);
    }
  } catch (error) {
    signal.throwIfAborted();
    return patience.lost === undefined
      ? judgeError(error, now)
      : { kind: "again", reason: `: ${patience.lost}` };
  }
  return read(assembled);
}

/** Aborts what takes too long in all, or stops for too long in between. */
class Patience {
  readonly #aborting = new AbortController();
  readonly #whole: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  /** Why it was aborted, once it was. */
  lost: string | undefined;

  constructor(timeoutMs: number) {
    this.#whole = setTimeout(() => this.#lose("no whole answer in", timeoutMs), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  renew(idleMs: number): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#lose("the answer stopped: nothing came for", idleMs), idleMs);
  }

  #lose(what: string, ms: number): void {
    this.lost = `${what} ${Math.round(ms / 1_000)} s`;
    this.#aborting.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#idle);
  }
}

function read(assembled: Assembler): Attempt {
  if (assembled.state === "failed") return judgeStreamError(assembled.error);
  if (assembled.state === "open") return { kind: "again", reason: ": the answer broke off" };
  try {
    return { kind: "answered", answer: readAnswer("converse", assembled.body(), "") };
  } catch (error) {
    return { kind: "failed", reason: messageOf(error), context: {}, isRetryable: true };
  }
}
