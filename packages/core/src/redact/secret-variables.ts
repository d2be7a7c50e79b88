import type { KnownSecret } from "./create.ts";
import { isPassword, isSecretName } from "./credential-rules.ts";

/**
 * The variables of an environment whose names say that they are secrets (`DB_PASSWORD`, `SERVICE_TOKEN`): their values go
 * wherever they stand, also those that no rule would tell from ordinary text. Passwords of development databases
 * (`postgres`) are words of every text about them, and stay.
 */
export function secretVariables(environment: Readonly<Record<string, string>>): KnownSecret[] {
  return Object.entries(environment)
    .filter(([name, value]) => isSecretName(name) && isPassword(value))
    .map(([name, value]) => ({ value, kind: name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-") }));
}
