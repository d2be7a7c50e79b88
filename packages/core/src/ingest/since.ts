import * as z from "zod";
import { Duration } from "../run/duration.ts";
import { isoTime } from "./chain/version.ts";

/** `--since`: a time (ISO 8601; UTC when it names no zone) or a duration before now, such as 3d or 12h. */
export const Since = z
  .string()
  .refine((text) => resolveSince(text, 0) !== undefined, "wants a time such as 2026-01-31 or 3d, 12h");

/** The time meant, in milliseconds since the epoch. */
export function resolveSince(text: string, now: number): number | undefined {
  const duration = Duration.safeParse(text);
  return duration.success ? now - duration.data : isoTime(text);
}

/** The parameter of a list by which an API gives only what changed since then, when both are known. */
export function filterBy(
  param: string | undefined,
  since: string | undefined,
): Record<string, string> | undefined {
  return param === undefined || since === undefined ? undefined : { [param]: since };
}
