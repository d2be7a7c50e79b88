import { TracemillError } from "@tracemill/core/errors.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";

const secretName = "PROD_API_TOKEN";

/**
 * The production API for a spec that has a source; nothing for others, which need no token.
 * @throws TracemillError `unauthorized` (no token yet, with the command that sets it), `invalid-spec` (no address).
 */
export async function productionOf(
  { source }: Pick<RunSpec, "source">,
  given: { secrets: SecretStore; secretPrefix: string; prodBaseUrl: string | undefined },
): Promise<PipelineDeps["production"]> {
  if (source === undefined) return undefined;
  const baseUrl = source.baseUrl ?? given.prodBaseUrl;
  if (baseUrl === undefined) {
    throw new TracemillError("invalid-spec", "`source.baseUrl` is missing; add it to the spec");
  }
  const token = await given.secrets.get(secretName);
  if (token !== undefined) return { baseUrl, token };
  const id = `${given.secretPrefix}${secretName}`;
  throw new TracemillError(
    "unauthorized",
    `the secret ${id} has no value yet: \`aws secretsmanager put-secret-value --secret-id ${id} --secret-string TOKEN\``,
  );
}
