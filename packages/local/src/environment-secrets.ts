import { TracemillError } from "@tracemill/core/errors.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";

/** What a deployment puts into a secret that nobody has set; the same word means the same here. */
const unset = "unset";

/**
 * Secrets as variables of the environment.
 * @param variable reads one; asked anew each time.
 * @throws TracemillError `invalid-input` for what is no variable's name.
 */
export function environmentSecrets(variable: (name: string) => string | undefined): SecretStore {
  return {
    get: async (name) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
        throw new TracemillError(
          "invalid-input",
          `secret name ${JSON.stringify(name)}: letters, digits and underscores are allowed`,
        );
      }
      const value = variable(name);
      return value === undefined || value === "" || value === unset ? undefined : value;
    },
  };
}
