import * as z from "zod";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { ModelAnswer, ModelClient, ModelRequest } from "../ports/model-client.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { ModelProtocol } from "../protocols/protocol.ts";
import type { Redactor } from "../redact/redactor.ts";
import { canonicalJson } from "../run/spec.ts";
import { Usage } from "../run/trial.ts";
import { findStored } from "../stored-json.ts";

/** A client that can say what it would send. */
export interface AskingClient extends ModelClient {
  /** The request's body, as the provider gets it. */
  bodyOf(request: ModelRequest): unknown;
}

/** What a request is addressed to: the same body means something else elsewhere. */
export interface CacheAddress {
  protocol: ModelProtocol;
  provider: string;
  /** The base URL, or the region of Bedrock. */
  place: string;
  /** As the provider calls it. */
  model: string;
}

export interface AnswerCacheDeps {
  objects: Pick<ObjectStore, "get" | "putIfAbsent">;
  redactor: Redactor;
}

const numbers = z.array(z.number());

/** `models/cache/<sha256>.json`. */
export const StoredAnswer = z.strictObject({
  schemaVersion: z.literal(1),
  address: z.strictObject({
    protocol: z.string(),
    provider: z.string(),
    place: z.string(),
    model: z.string(),
  }),
  answer: z.strictObject({
    text: z.string(),
    reasoning: z.string().optional(),
    toolCalls: z.array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        arguments: z.record(z.string(), z.unknown()),
        extra: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
    finish: z.enum(["stop", "tool-calls"]),
    usage: Usage.optional(),
    tokens: z
      .strictObject({
        prompt: numbers.optional(),
        completion: numbers.optional(),
        logprobs: numbers.optional(),
      })
      .optional(),
    carry: z.unknown().optional(),
  }),
});

/**
 * Gives an answer again that was given to the very same request before, without asking. Kept are whole answers alone,
 * and none that holds a secret: what is stored is what the model said, and no secret is stored.
 */
export function cachedClient(
  client: AskingClient,
  address: CacheAddress,
  { objects, redactor }: AnswerCacheDeps,
): AskingClient {
  const complete = async (request: ModelRequest): Promise<ModelAnswer> => {
    const key = objectKeys.modelAnswer(sha256Hex(canonicalJson({ address, body: client.bodyOf(request) })));
    const stored = await findStored(objects, key, StoredAnswer);
    if (stored !== undefined) return again(stored.answer, request);
    const answer = await client.complete(request);
    if (isWhole(answer) && redactor.json(answer) === answer) {
      const record = StoredAnswer.parse({ schemaVersion: 1, address, answer });
      await objects.putIfAbsent(key, Buffer.from(`${JSON.stringify(record)}\n`));
    }
    return answer;
  };
  return { model: client.model, bodyOf: (request) => client.bodyOf(request), complete };
}

function isWhole({ finish }: ModelAnswer): boolean {
  return finish === "stop" || finish === "tool-calls";
}

/** Its tokens are those of the first time; it costs nothing now. */
function again(stored: z.infer<typeof StoredAnswer>["answer"], { onDelta }: ModelRequest): ModelAnswer {
  // zod's optional fields may hold `undefined`, which JSON never does.
  const answer = stored as ModelAnswer;
  if (answer.reasoning !== undefined) onDelta?.({ reasoning: answer.reasoning });
  if (answer.text !== "") onDelta?.({ text: answer.text });
  const { usage } = answer;
  return { ...answer, cached: true, ...(usage === undefined ? {} : { usage: { ...usage, costUsd: 0 } }) };
}
