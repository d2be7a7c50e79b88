/** A user's own prices, limits and assumptions: a file that names only what differs. */

import * as z from "zod";
import { parseAs } from "../validation.ts";
import { Assumptions, assumptions } from "./assumptions.ts";
import type { CostBasis } from "./estimate.ts";
import { Limits, limits, Prices, prices } from "./prices.ts";

/** What `--prices FILE` holds: any part of the defaults, under the same names. */
const CostFile = z.strictObject({
  prices: z.record(z.string(), z.unknown()).default({}),
  limits: z.record(z.string(), z.unknown()).default({}),
  assumptions: z.record(z.string(), z.unknown()).default({}),
});

export const defaultBasis: CostBasis = { prices, limits, assumptions };

/** The defaults with a file's values laid over them. @throws TracemillError `invalid-input`, naming file and field. */
export function parseCostFile(value: unknown, where: string): CostBasis {
  const given = parseAs(CostFile, value, where);
  return {
    prices: parseAs(Prices, laidOver(prices, given.prices), `${where}: prices`),
    limits: parseAs(Limits, laidOver(limits, given.limits), `${where}: limits`),
    assumptions: parseAs(Assumptions, laidOver(assumptions, given.assumptions), `${where}: assumptions`),
  };
}

function laidOver(base: unknown, over: unknown): unknown {
  if (!isRecord(base) || !isRecord(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = laidOver(base[key], value);
  return merged;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
