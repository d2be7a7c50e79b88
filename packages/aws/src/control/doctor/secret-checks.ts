import { paginateListSecrets, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import { pagesOf } from "../service-call.ts";
import { checked } from "./check.ts";

/** Whether secrets have a value. Values are read to know, and go nowhere. */
export async function secretChecks(
  names: readonly string[],
  prefix: string,
  secrets: SecretStore,
): Promise<DoctorCheck[]> {
  const checks = await Promise.all(
    names.map((name) =>
      checked(`secret ${name}`, async () => {
        if ((await secrets.get(name)) !== undefined)
          return { name: `secret ${name}`, status: "ok", detail: "set" };
        const remedy = `aws secretsmanager put-secret-value --secret-id ${prefix}${name} --secret-string VALUE`;
        return { name: `secret ${name}`, status: "missing", detail: "has no value yet", remedy };
      }),
    ),
  );
  return checks.flat();
}

/** The names of a stage's secrets, without their prefix. */
export async function secretNames(client: SecretsManagerClient, prefix: string): Promise<string[]> {
  const pages = paginateListSecrets({ client }, { Filters: [{ Key: "name", Values: [prefix] }] });
  const names: string[] = [];
  const call = { doing: "listing the secrets", action: "secretsmanager:ListSecrets" };
  for await (const page of pagesOf(call, pages)) {
    for (const { Name = "" } of page.SecretList ?? []) {
      if (Name.startsWith(prefix)) names.push(Name.slice(prefix.length));
    }
  }
  return names.toSorted();
}
