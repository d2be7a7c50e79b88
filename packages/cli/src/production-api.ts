import { TracemillError } from "@tracemill/core/errors.ts";
import type { FetchDeps, FetchInput } from "@tracemill/core/ingest/options.ts";
import { Duration } from "@tracemill/core/run/duration.ts";
import { streamingFetch } from "@tracemill/local/streaming-fetch.ts";
import { type Command, InvalidArgumentError } from "commander";
import type { CliContext } from "./context.ts";
import { atLeast } from "./flag-values.ts";

/** Flags of every command that talks to a production API. */
export interface ProductionFlags {
  baseUrl?: string;
  tokenEnv?: string;
  timeout?: number;
  sleepMs?: number;
}

export function withProductionFlags(command: Command): Command {
  return command
    .option("--base-url <url>", "the API, up to /tasks (default: $TRACEMILL_PROD_BASE_URL)")
    .option("--token-env <name>", "variable that holds the token (default: TRACEMILL_PROD_API_TOKEN)")
    .option("--timeout <duration>", "time for one request: 30, 30s, 2m (default: 30s)", duration)
    .option("--sleep-ms <ms>", "least time between two requests (default: 0)", atLeast(0));
}

/** Which API, and how patiently. @throws TracemillError `invalid-input` when nothing names one. */
export function productionInput(
  flags: ProductionFlags,
  { config }: CliContext,
): Pick<FetchInput, "baseUrl" | "sleepMs" | "timeoutMs" | "tokenName"> {
  const baseUrl = flags.baseUrl ?? config.prodBaseUrl;
  if (baseUrl === undefined) {
    throw new TracemillError(
      "invalid-input",
      "no production API: set TRACEMILL_PROD_BASE_URL (or AUTOPPIA_PROD_BASE_URL), or give --base-url",
    );
  }
  const { sleepMs, timeout: timeoutMs } = flags;
  return { baseUrl, sleepMs, timeoutMs, tokenName: tokenName(flags, config) };
}

/** @throws TracemillError `invalid-input` when there is no token. */
export function productionDeps(flags: ProductionFlags, context: CliContext): FetchDeps {
  const { clock, random, config, draining } = context;
  const name = tokenName(flags, config);
  const token = config.variable(name);
  if (token === undefined) {
    const or =
      flags.tokenEnv === undefined ? " (or AUTOPPIA_PROD_API_TOKEN), or name another with --token-env" : "";
    throw new TracemillError("invalid-input", `no token for the production API: set ${name}${or}`);
  }
  // Stopping in the middle of a request loses nothing, so the first Ctrl-C is enough.
  const onRetry = (text: string): void => context.out.note(text);
  return { fetch: streamingFetch, clock, random, token, signal: draining, onRetry };
}

function tokenName(flags: ProductionFlags, config: CliContext["config"]): string {
  if (flags.tokenEnv !== undefined) return flags.tokenEnv;
  const names = ["TRACEMILL_PROD_API_TOKEN", "AUTOPPIA_PROD_API_TOKEN"] as const;
  return names.find((name) => config.variable(name) !== undefined) ?? names[0];
}

/** A flag's value as milliseconds: `30`, `30s`, `2m`. @throws InvalidArgumentError, which the user sees. */
export function duration(text: string): number {
  const parsed = Duration.safeParse(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("It wants a duration such as 30, 30s or 2m.");
}
