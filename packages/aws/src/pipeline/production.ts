import { TracemillError } from "@tracemill/core/errors.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";

const secretName = "PROD_API_TOKEN";

/** The secrets of a stage; `secretPrefix` is for messages. */
export interface SecretAccess {
  secrets: SecretStore;
  secretPrefix: string;
}

/**
 * The production API's token, and what to call it in messages.
 * @throws TracemillError `unauthorized`, with the command that sets it.
 */
export async function productionToken({
  secrets,
  secretPrefix,
}: SecretAccess): Promise<{ token: string; tokenName: string }> {
  const token = await secrets.get(secretName);
  const id = `${secretPrefix}${secretName}`;
  if (token !== undefined) return { token, tokenName: `the secret ${id}` };
  throw new TracemillError(
    "unauthorized",
    `the secret ${id} has no value yet: \`aws secretsmanager put-secret-value --secret-id ${id} --secret-string TOKEN\``,
  );
}

/**
 * The production API for a spec that has a source; nothing for others, which need no token.
 * @throws TracemillError `unauthorized` (no token yet), `invalid-spec` (no address).
 */
export async function productionOf(
  { source }: Pick<RunSpec, "source">,
  given: SecretAccess & { prodBaseUrl: string | undefined },
): Promise<PipelineDeps["production"]> {
  if (source === undefined) return undefined;
  const baseUrl = source.baseUrl ?? given.prodBaseUrl;
  if (baseUrl === undefined)
    throw new TracemillError("invalid-spec", "`source.baseUrl` is missing; add it to the spec");
  const { token } = await productionToken(given);
  return { baseUrl, token };
}
