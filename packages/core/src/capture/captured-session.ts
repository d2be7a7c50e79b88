import * as z from "zod";
import { type RedactionCounts, sumOfCounts } from "../redact/redactor.ts";
import { Usage } from "../run/trial.ts";
import { addUsage, noUsage } from "../run/usage.ts";
import type { HttpExchange } from "./http-exchange.ts";

const count = z.number().int().min(0);

/** What is known of a captured session without reading its exchanges. */
export const CapturedSession = z.strictObject({
  schemaVersion: z.literal(1),
  sessionId: z.string(),
  /** When its first exchange began. */
  startedAt: z.iso.datetime(),
  /** When its last exchange ended, so far. */
  endedAt: z.iso.datetime(),
  exchanges: count,
  /** Those that asked a model; the others are what programs ask of a provider besides. */
  modelExchanges: count,
  /** Model exchanges without an answer, with an error's status, or that broke off. */
  failed: count,
  /** Those that answered, in the order in which they came. */
  models: z.array(z.string()),
  usage: Usage,
  /** What was taken out before anything was written, by kind. */
  redactions: z.record(z.string(), count),
});
export type CapturedSession = z.infer<typeof CapturedSession>;

/** The session that one exchange makes by itself. */
export function sessionOfExchange(exchange: HttpExchange, redactions: RedactionCounts = {}): CapturedSession {
  const { sessionId, startedAt, endedAt, model, usage } = exchange;
  const modelExchanges = exchange.protocol === undefined ? 0 : 1;
  return {
    schemaVersion: 1,
    sessionId,
    startedAt,
    endedAt,
    exchanges: 1,
    modelExchanges,
    failed: hasFailed(exchange) ? modelExchanges : 0,
    models: model === undefined ? [] : [model],
    usage: usage ?? noUsage,
    redactions: { ...redactions },
  };
}

/** Two parts of one session as one; `a` is the older one where it matters. */
export function joinSessions(a: CapturedSession | undefined, b: CapturedSession): CapturedSession {
  if (a === undefined) return b;
  return {
    ...a,
    startedAt: earlier(a.startedAt, b.startedAt),
    endedAt: earlier(a.endedAt, b.endedAt) === a.endedAt ? b.endedAt : a.endedAt,
    exchanges: a.exchanges + b.exchanges,
    modelExchanges: a.modelExchanges + b.modelExchanges,
    failed: a.failed + b.failed,
    models: [...new Set([...a.models, ...b.models])],
    usage: addUsage(a.usage, b.usage),
    redactions: sumOfCounts(a.redactions, b.redactions) ?? {},
  };
}

/** What `after` counts beyond `before`; kinds that count nothing are left out. */
export function countsSince(before: RedactionCounts, after: RedactionCounts): Record<string, number> {
  const gained = Object.entries(after).map(([kind, total]) => [kind, total - (before[kind] ?? 0)] as const);
  return Object.fromEntries(gained.filter(([, number]) => number > 0));
}

function hasFailed({ response, error }: Pick<HttpExchange, "response" | "error">): boolean {
  return error !== undefined || response === undefined || response.status >= 400;
}

function earlier(a: string, b: string): string {
  return Date.parse(b) < Date.parse(a) ? b : a;
}
