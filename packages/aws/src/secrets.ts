import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import { awsError, isAwsError } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";

export interface SecretsManagerOptions {
  client: SecretsManagerClient;
  /** Goes before every name: `tracemill/prod/`. */
  prefix: string;
  patience?: Patience;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** What the deployment puts into a secret that somebody has yet to set. */
export const unsetSecret = "unset";

/** A changed secret is used after five minutes at the latest; a call costs 5 USD per million. */
const cacheMs = 5 * 60_000;

/**
 * Secrets in Secrets Manager, one value each. A value is kept in memory for five minutes; that there is none is asked
 * anew each time, since that is what somebody mends while others wait.
 * @throws TracemillError `unauthorized` (names the IAM action and the secret), `invalid-input` (a secret without
 * text), `storage-failed`.
 */
export function secretsManagerStore(options: SecretsManagerOptions): SecretStore {
  const { prefix, now = Date.now } = options;
  const cache = new Map<string, { until: number; value: Promise<string | undefined> }>();
  return {
    async get(name) {
      assertName(name);
      const cached = cache.get(name);
      if (cached !== undefined && cached.until > now()) return cached.value;
      const value = read(options, prefix + name);
      cache.set(name, { until: now() + cacheMs, value });
      const forget = (): void => {
        if (cache.get(name)?.value === value) cache.delete(name);
      };
      value.then((found) => found === undefined && forget(), forget);
      return value;
    },
  };
}

async function read(
  { client, patience }: SecretsManagerOptions,
  secretId: string,
): Promise<string | undefined> {
  try {
    const found = await patiently(
      () => client.send(new GetSecretValueCommand({ SecretId: secretId })),
      patience,
    );
    if (found.SecretString === undefined) throw notText(secretId);
    return found.SecretString === unsetSecret ? undefined : found.SecretString;
  } catch (error) {
    if (isAwsError(error, "ResourceNotFoundException")) return undefined;
    throw secretError(error, secretId);
  }
}

function secretError(error: unknown, secretId: string): TracemillError {
  const doing = `secret ${secretId}`;
  if (isAwsError(error, "DecryptionFailure")) {
    const message = `${doing}: its key refused; allow kms:Decrypt on it to whoever this runs as`;
    return new TracemillError("unauthorized", message, { cause: error });
  }
  return awsError(error, { doing, action: `secretsmanager:GetSecretValue on ${secretId}` });
}

function notText(secretId: string): TracemillError {
  const remedy = `set it: aws secretsmanager put-secret-value --secret-id ${secretId} --secret-string VALUE`;
  return new TracemillError("invalid-input", `secret ${secretId} holds no text; ${remedy}`);
}

/** Names of environment variables, so that a secret has one name in both homes. */
function assertName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) return;
  throw new TracemillError(
    "invalid-input",
    `secret name ${JSON.stringify(name)}: letters, digits and underscores are allowed`,
  );
}
