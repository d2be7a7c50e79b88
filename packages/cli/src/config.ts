import { resolve } from "node:path";
import * as z from "zod";

/** Everything that the environment may say. Read here and nowhere else. */
const Environment = z.object({
  TRACEMILL_HOME: z.string().optional(),
  TRACEMILL_ON: z.string().optional(),
  TRACEMILL_STAGE: z.string().optional(),
  TRACEMILL_PROD_BASE_URL: z.string().optional(),
  TRACEMILL_PROD_API_TOKEN: z.string().optional(),
  AUTOPPIA_PROD_BASE_URL: z.string().optional(),
  AUTOPPIA_PROD_API_TOKEN: z.string().optional(),
  TRACEMILL_SANDBOX: z.string().optional(),
  TRACEMILL_DOCKER_BASE: z.string().optional(),
  DOCKER_HOST: z.string().optional(),
  NO_COLOR: z.string().optional(),
});

export interface Config {
  /** Where stores, sandboxes and caches live. */
  home: string;
  /** Where runs live unless a command says otherwise: `local`, or `aws`. Not checked yet. */
  on: string;
  /** The deployed stage that `aws` means, unless a command names another. */
  stage: string;
  /** Base URL of the production API, when set. */
  prodBaseUrl: string | undefined;
  /** Bearer token of the production API, when set. A secret: never print it. */
  prodToken: string | undefined;
  /** Where commands run when neither the command line nor the spec says. Not checked yet. */
  sandbox: string | undefined;
  /** The image of Docker sandboxes for tasks without one of their own. */
  dockerBase: string | undefined;
  /** Where Docker's engine is; default: the usual socket. */
  dockerHost: string | undefined;
  color: boolean;
  /** Any other variable that the user names on the command line (`--token-env NAME`). */
  variable(name: string): string | undefined;
  /** All of it, for programs of the user's own that are started as a shell would. Holds secrets: never print it. */
  environment(): Record<string, string | undefined>;
}

export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const parsed = Environment.parse(env);
  return {
    home: resolve(parsed.TRACEMILL_HOME || ".tracemill"),
    on: parsed.TRACEMILL_ON || "local",
    stage: parsed.TRACEMILL_STAGE || "dev",
    prodBaseUrl: parsed.TRACEMILL_PROD_BASE_URL || parsed.AUTOPPIA_PROD_BASE_URL || undefined,
    prodToken: parsed.TRACEMILL_PROD_API_TOKEN || parsed.AUTOPPIA_PROD_API_TOKEN || undefined,
    sandbox: parsed.TRACEMILL_SANDBOX || undefined,
    dockerBase: parsed.TRACEMILL_DOCKER_BASE || undefined,
    dockerHost: parsed.DOCKER_HOST || undefined,
    color: parsed.NO_COLOR === undefined,
    variable: (name) => env[name] || undefined,
    environment: () => ({ ...env }),
  };
}
