import type { Random } from "../ports/clock.ts";
import { idOf, isObject } from "./json.ts";

/** Fields that some deployments want on every request, once they have said so. */
export type DemandField = "nonce" | "run_id";

export interface Demand {
  field: DemandField;
  /** The value to send, when the answer names one. */
  value: string | undefined;
}

/** Where an API puts its error code; these are looked through to three levels. */
const CODE_KEYS = ["code", "error", "error_code", "errorCode", "detail", "errors", "type", "reason"];
const VALUE_KEYS: Record<DemandField, readonly string[]> = {
  nonce: ["nonce"],
  run_id: ["run_id", "runId", "run-id"],
};

/**
 * What a refused request has to carry when it is sent again: `{"error": {"code": "NONCE_REQUIRED"}}`,
 * `{"detail": "run-id-missing"}` and their like. `undefined` when the refusal is about something else.
 */
export function readDemand(body: unknown): Demand | undefined {
  for (const code of codesIn(body, 3)) {
    const field = demandedField(code);
    if (field !== undefined) return { field, value: valueIn(body, VALUE_KEYS[field], 3) };
  }
  return undefined;
}

/** A value for a field that the API wants but does not choose: 32 hex digits. */
export function freshValue(random: Random): string {
  return Array.from({ length: 8 }, () =>
    Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, "0"),
  ).join("");
}

/** What a client carries on every request, since the API asked for it. */
export interface Carried {
  fields(): ReadonlyMap<DemandField, string>;
  /**
   * Takes up what a refusal demands.
   * @param sent what the refused request carried.
   * @returns false when the refusal is about something else.
   */
  take(refusal: unknown, sent: ReadonlyMap<DemandField, string>): boolean;
}

export function createCarried(random: Random): Carried {
  let fields: ReadonlyMap<DemandField, string> = new Map();
  return {
    fields: () => fields,
    take(refusal, sent) {
      const demand = readDemand(refusal);
      if (demand === undefined) return false;
      // Another request in flight may have got a value since this one was sent: that one is tried first.
      const current = fields.get(demand.field);
      if (current !== undefined && current !== sent.get(demand.field)) return true;
      fields = new Map(fields).set(demand.field, demand.value ?? freshValue(random));
      return true;
    },
  };
}

function demandedField(code: string): DemandField | undefined {
  const match =
    /^(missing|invalid|expired)?(nonce|runid)(required|missing|needed|invalid|expired|stale|used)?$/.exec(
      code.toLowerCase().replaceAll(/[^a-z]/g, ""),
    );
  if (match === null || (match[1] === undefined && match[3] === undefined)) return undefined;
  return match[2] === "nonce" ? "nonce" : "run_id";
}

function* codesIn(value: unknown, depth: number): Generator<string> {
  if (typeof value === "string") yield value;
  if (depth === 0) return;
  if (Array.isArray(value)) for (const item of value) yield* codesIn(item, depth - 1);
  if (!isObject(value)) return;
  for (const key of CODE_KEYS) yield* codesIn(value[key], depth - 1);
}

function valueIn(value: unknown, keys: readonly string[], depth: number): string | undefined {
  if (depth === 0) return undefined;
  const inner = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if (isObject(value)) {
    for (const key of keys) {
      const found = idOf(value[key]);
      if (found !== undefined) return found;
    }
  }
  for (const item of inner) {
    const found = valueIn(item, keys, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
