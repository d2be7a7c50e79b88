import { TracemillError } from "@tracemill/core/errors.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";

const secretName = "PROD_API_TOKEN";

/**
 * The production API's token, and what to call it in messages.
 * @throws TracemillError `unauthorized`, with the command that sets it.
 */
export async function productionToken({
  secrets,
  secretPrefix,
}: {
  secrets: SecretStore;
  secretPrefix: string;
}): Promise<{ token: string; tokenName: string }> {
  const token = await secrets.get(secretName);
  const id = `${secretPrefix}${secretName}`;
  if (token !== undefined) return { token, tokenName: `the secret ${id}` };
  throw new TracemillError(
    "unauthorized",
    `the secret ${id} has no value yet: \`aws secretsmanager put-secret-value --secret-id ${id} --secret-string TOKEN\``,
  );
}
