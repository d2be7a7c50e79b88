import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";

/** What a function is told by its environment. Read here and nowhere else; the rest is in the stack's parameter. */
const Environment = z.object({
  TRACEMILL_STAGE: z.string().min(1),
  TRACEMILL_BUCKET: z.string().min(1),
  TRACEMILL_TABLE: z.string().min(1),
  /** For specs and schedules that name no `baseUrl`. */
  TRACEMILL_PROD_BASE_URL: z.string().min(1).optional(),
});

export interface Config {
  stage: string;
  bucket: string;
  table: string;
  prodBaseUrl: string | undefined;
}

let read: Config | undefined;

/** @throws TracemillError `invalid-input` that names the variable that is missing. */
export function config(): Config {
  read ??= parseConfig(process.env);
  return read;
}

export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const parsed = parseAs(Environment, env, "environment of the function");
  return {
    stage: parsed.TRACEMILL_STAGE,
    bucket: parsed.TRACEMILL_BUCKET,
    table: parsed.TRACEMILL_TABLE,
    prodBaseUrl: parsed.TRACEMILL_PROD_BASE_URL,
  };
}
