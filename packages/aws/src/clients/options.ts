/** Where the clients go and as whom. All is optional: the SDK finds region, credentials and endpoint by itself. */
export interface AwsOptions {
  region?: string;
  /** An emulator, or a private endpoint. */
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Attempts of one call, the first included. Default 8. */
  maxAttempts?: number;
}

/**
 * With full jitter from 1 s up to 20 s after throttling (50 ms after other faults), 8 attempts are on average half
 * a minute of patience; the stores go on for a minute more (`patience.ts`).
 */
const maxAttempts = 8;

/** Sockets of one client. A worker has up to 64 trials at once, each with some calls; the SDK's 50 would queue. */
const maxSockets = 128;

/** A connection inside a region takes milliseconds; SQS long polls are silent for 20 s. */
const timeouts = { connectionTimeout: 5_000, socketTimeout: 60_000 };

/** Settings that every client here shares. Those of the stores also adapt their pace (`pace.ts`). */
export function clientSettings(options: AwsOptions = {}) {
  const { region, endpoint, credentials } = options;
  return {
    retryMode: "standard",
    maxAttempts: options.maxAttempts ?? maxAttempts,
    requestHandler: { ...timeouts, httpAgent: { maxSockets }, httpsAgent: { maxSockets } },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  };
}
