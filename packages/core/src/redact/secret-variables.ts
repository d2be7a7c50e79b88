import type { KnownSecret } from "./create.ts";
import { isSecretName } from "./credential-rules.ts";

/**
 * The variables of an environment whose names say that they are secrets (`DB_PASSWORD`, `SERVICE_TOKEN`): their values go
 * wherever they stand, also those that no rule would tell from ordinary text.
 */
export function secretVariables(environment: Readonly<Record<string, string>>): KnownSecret[] {
  return Object.entries(environment)
    .filter(([name]) => isSecretName(name))
    .map(([name, value]) => ({ value, kind: name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-") }));
}
