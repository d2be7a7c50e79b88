import * as z from "zod";
import { ModelProtocol } from "../protocols/protocol.ts";
import { Usage } from "../run/trial.ts";

/** Header names in lower case. Credentials are not among them: they are redacted before an exchange is made. */
const Headers = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/**
 * A body as it was sent: JSON parsed; a stream of events as `{ _events: [...] }` with each event's data parsed; other
 * text as `{ _raw: text }`; bytes that are no text as `{ _base64: text }`; of one that was too large to keep, its size,
 * as `{ _cut: bytes }`.
 */
const Body = z.unknown();

/** One HTTP request and its answer, as a proxy saw it, after redaction. Newest form of a line in `exchanges.jsonl.zst`. */
export const HttpExchange = z.strictObject({
  kind: z.literal("http"),
  id: z.string(),
  sessionId: z.string(),
  startedAt: z.iso.datetime(),
  /** When the first byte of the answer's body came. */
  firstByteAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime(),
  method: z.string(),
  /** Without credentials; of the upstream, as the proxy asked it. */
  url: z.string(),
  /** Absent for requests that are no model's. */
  protocol: ModelProtocol.optional(),
  /** What the answer says its model is, else what was asked for. */
  model: z.string().optional(),
  request: z.strictObject({ headers: Headers, body: Body.optional() }),
  /** What the client saw: the proxy's own words where `error` says that it was refused. Absent when none came. */
  response: z.strictObject({ status: z.number().int(), headers: Headers, body: Body.optional() }).optional(),
  /** Why the exchange did not end as it should: the client left, the upstream broke off, a cap was reached. */
  error: z.string().optional(),
  usage: Usage.optional(),
  /** True when nobody said what was used, so that `usage` is a guess by the texts' length. */
  usageEstimated: z.literal(true).optional(),
});
export type HttpExchange = z.infer<typeof HttpExchange>;
